"""One file for each family. MODELS holds the models that the command line trains, by name."""

from .acgan import ACGAN, ACGANConfig
from .autoencoder import Autoencoder, AutoencoderConfig, Memory, MemoryConfig
from .base import Model, ModelConfig
from .betavae import BetaVAE, BetaVAEConfig
from .cgan import CGAN, CGANConfig
from .cogan import CoGAN, CoGANConfig
from .convvae import ConvVAE, ConvVAEConfig
from .cyclegan import CycleGAN, CycleGANConfig
from .dcgan import DCGAN, DCGAN64, DCGAN64Config, DCGANConfig
from .gan import GAN, GANConfig
from .hingegan import HingeGAN, HingeGANConfig
from .inpaint import Inpaint, InpaintConfig
from .lsgan import LSGAN, LSGANConfig
from .pacgan import PacGAN, PacGANConfig
from .sngan import SNGAN, SNGANConfig
from .srgan import SRGAN, SRGANConfig
from .steps import Loss, Step
from .stylegan import StyleGAN, StyleGANConfig
from .textgan import TextGAN, TextGANConfig
from .vae import VAE, VAEConfig
from .vaegan import VAEGAN, VAEGANConfig
from .wgan import WGAN, WGANConfig
from .wgangp import WGANGP, WGANGPConfig

__all__ = [
    "ACGAN",
    "CGAN",
    "DCGAN",
    "DCGAN64",
    "GAN",
    "LSGAN",
    "MODELS",
    "SNGAN",
    "SRGAN",
    "VAE",
    "VAEGAN",
    "WGAN",
    "WGANGP",
    "ACGANConfig",
    "Autoencoder",
    "AutoencoderConfig",
    "BetaVAE",
    "BetaVAEConfig",
    "CGANConfig",
    "CoGAN",
    "CoGANConfig",
    "ConvVAE",
    "ConvVAEConfig",
    "CycleGAN",
    "CycleGANConfig",
    "DCGAN64Config",
    "DCGANConfig",
    "GANConfig",
    "HingeGAN",
    "HingeGANConfig",
    "Inpaint",
    "InpaintConfig",
    "LSGANConfig",
    "Loss",
    "Memory",
    "MemoryConfig",
    "Model",
    "ModelConfig",
    "PacGAN",
    "PacGANConfig",
    "SNGANConfig",
    "SRGANConfig",
    "Step",
    "StyleGAN",
    "StyleGANConfig",
    "TextGAN",
    "TextGANConfig",
    "VAEConfig",
    "VAEGANConfig",
    "WGANConfig",
    "WGANGPConfig",
]


def __dir__() -> list[str]:
    return __all__


MODELS: dict[str, type[Model]] = {
    model.name: model
    for model in (
        Memory,
        Autoencoder,
        VAE,
        ConvVAE,
        BetaVAE,
        GAN,
        CGAN,
        ACGAN,
        DCGAN,
        DCGAN64,
        SNGAN,
        LSGAN,
        HingeGAN,
        WGAN,
        WGANGP,
        PacGAN,
        StyleGAN,
        VAEGAN,
        CoGAN,
        CycleGAN,
        Inpaint,
        SRGAN,
        TextGAN,
    )
}
