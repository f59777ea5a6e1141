"""Turns checkpoints as people have them into model folders of emojob: `conversion` does this with the other modules.

`files` reads the weights from a file without running code in it, `contents` finds them among the objects in the file,
`names` finds the encoder and the head, and `sizes` infers the sizes of the model from the shapes of the weights.
"""

__all__ = ["conversion"]
