"""The embedded broker, the demo, the login generator, and the comparison of output and input."""
