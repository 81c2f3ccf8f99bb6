"""Networks that know digits and faces, whose weights come with the package: metrics and losses use their features."""

from .classifier import LeNet, load_classifier
from .faces import FaceJudge, load_face_judge
from .perception import maps_for

__all__ = ["FaceJudge", "LeNet", "load_classifier", "load_face_judge", "maps_for"]


def __dir__() -> list[str]:
    return __all__
