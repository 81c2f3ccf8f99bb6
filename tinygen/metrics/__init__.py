"""How good the samples of a model are."""

from .classifier import LeNet, accuracy, load_classifier, predict, probabilities, train_classifier, unit_images
from .disentangle import mig, mutual_information
from .distances import fid, frechet_distance, inception_score, kid
from .evaluate import Score, evaluate
from .images import image_scores, pooled_pixels
from .likelihood import binarise, likelihood_bounds
from .modes import mixture_scores, reverse_kl, stacked_scores
from .neighbours import density_coverage, precision_recall
from .transfer import Augmented, augmentation, gan_test, gan_train
