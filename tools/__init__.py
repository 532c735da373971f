"""Programs around the pipeline: broker, demo and generator, and the commands check, replay, tail, try and verify."""
