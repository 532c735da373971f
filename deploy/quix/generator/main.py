"""Starts the login generator on Quix Cloud, which wants an entry point in the application's folder."""

import runpy

runpy.run_module("tools.generator", run_name="__main__")
