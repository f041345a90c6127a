"""Whether to start a training run: pure, damped, replayable."""
