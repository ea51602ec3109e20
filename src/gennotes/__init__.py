"""Models, losses and training helpers behind the notes on generative models."""
