"""Preprocessing of an image between its file and the network: one description, two implementations.

`description` says what is done, `host` does it with Pillow and NumPy and is the reference, and
`graph` does it with TensorFlow. All commands use these modules.
"""
