"""The data set that a run was trained on, where its `config.json` says. No TensorFlow."""

import os

from vgg_slim.errors import DataError


def find(data_dir: str, train_dir: str) -> str:
  """Returns the folder of the data set of a run; creates the digits again if they are gone.

  Args:
    data_dir: folder that the config of the run names.
    train_dir: folder of the run, for the message.

  Raises:
    DataError: the folder does not exist, such as after a move.
  """
  if os.path.isdir(data_dir):
    return data_dir
  from vgg_slim.data.conversion import default_data  # takes longer to load than the checks

  cache = default_data.cache_folder()
  if data_dir == str(default_data.digits_path(cache)):
    return str(default_data.digits_folder(cache))
  raise DataError(
    f'The run in {train_dir} was trained on {data_dir}, which does not exist. Give the present '
    'folder of the data set as --data_dir.'
  )
