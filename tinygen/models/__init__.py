"""One file a family. MODELS names those that the command line trains."""

from .autoencoder import Autoencoder, AutoencoderConfig, Memory, MemoryConfig
from .base import Model
from .dcgan import DCGAN, DCGAN64, DCGAN64Config, DCGANConfig
from .gan import GAN, GANConfig
from .vae import VAE, VAEConfig

MODELS: dict[str, type[Model]] = {model.name: model for model in (Memory, Autoencoder, VAE, GAN, DCGAN, DCGAN64)}
