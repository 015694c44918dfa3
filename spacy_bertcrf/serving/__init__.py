"""A pipeline as an HTTP service, and a page to try it on."""
