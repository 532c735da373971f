"""What is not the pipeline itself: demo, embedded broker, generator."""
