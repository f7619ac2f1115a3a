"""Look into a fitted recommender, and into its labels.

`audit_labels` ranks suspicious labels. The others are displays in the style of
scikit-learn: each takes arrays, or an estimator by ``from_estimator``, and draws on
matplotlib axes; ``display.plot(ax=None)`` returns the display with ``ax_`` and
``figure_``. matplotlib is needed for drawing only (``pip install
sklearn-invlearn[plot]``).
"""

from ._annotation_display import AnnotationDisplay
from ._annotation_report import AnnotationReport, annotation_report
from ._audit import audit_labels
from ._direction_display import DirectionDisplay
from ._drops_display import DropsDisplay
from ._groups_display import GroupsDisplay
from ._label_audit import LabelAudit
from ._loss_path_display import LossPathDisplay
from ._precision_recall import precision_recall_at_k
from ._sensitivity_display import SensitivityDisplay
from ._trace_verdict import TraceVerdict, trace_verdict

__all__ = [
    "AnnotationDisplay",
    "AnnotationReport",
    "DirectionDisplay",
    "DropsDisplay",
    "GroupsDisplay",
    "LabelAudit",
    "LossPathDisplay",
    "SensitivityDisplay",
    "TraceVerdict",
    "annotation_report",
    "audit_labels",
    "precision_recall_at_k",
    "trace_verdict",
]
