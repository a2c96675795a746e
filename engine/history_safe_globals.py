"""Registration of the history's class with torch, so that ``torch.load(weights_only=True)`` can load a history.

If ``"param_history"`` is in ignite's ``state_dict_user_keys``, a checkpoint contains the pickled history. To
unpickle the history, torch only calls ``load_state_dict``, which takes plain data.
"""

import torch

from .history import ParamHistory

torch.serialization.add_safe_globals([ParamHistory])
