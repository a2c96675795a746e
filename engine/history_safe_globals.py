"""Lets ``torch.load(weights_only=True)`` load a history; imported with the first public name that needs torch.

With ``"param_history"`` in ignite's ``state_dict_user_keys``, a checkpoint has the history itself. To unpickle it only
calls ``load_state_dict``, which takes plain data.
"""

import torch

from .history import ParamHistory

torch.serialization.add_safe_globals([ParamHistory])
