"""Files that ship with the package: the sample dataset (`sample/`) and the default model (`default_model/`).

`sample` reads the sample dataset. The model folder is an ordinary one, which `models.model` loads.
"""

__all__ = ["sample"]
