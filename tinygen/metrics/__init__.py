"""Metrics: how good the samples of a model are."""

from ..judges.classifier import LeNet, accuracy, load_classifier, predict, probabilities, train_classifier, unit_images
from ..judges.faces import FaceJudge, load_face_judge, read_factors, train_face_judge
from .disentangle import mig, mutual_information
from .distances import fid, frechet_distance, inception_score, kid
from .evaluate import evaluate
from .images import image_scores, pooled_pixels
from .inception import Inception
from .likelihood import binarise, likelihood_bounds
from .modes import mixture_scores, reverse_kl, stacked_scores
from .neighbours import density_coverage, precision_recall
from .restoration import psnr, ssim
from .subject import Score
from .transfer import Augmented, augmentation, gan_test, gan_train

__all__ = [
    "Augmented",
    "FaceJudge",
    "Inception",
    "LeNet",
    "Score",
    "accuracy",
    "augmentation",
    "binarise",
    "density_coverage",
    "evaluate",
    "fid",
    "frechet_distance",
    "gan_test",
    "gan_train",
    "image_scores",
    "inception_score",
    "kid",
    "likelihood_bounds",
    "load_classifier",
    "load_face_judge",
    "mig",
    "mixture_scores",
    "mutual_information",
    "pooled_pixels",
    "precision_recall",
    "predict",
    "probabilities",
    "psnr",
    "read_factors",
    "reverse_kl",
    "ssim",
    "stacked_scores",
    "train_classifier",
    "train_face_judge",
    "unit_images",
]


def __dir__() -> list[str]:
    return __all__
