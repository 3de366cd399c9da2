import collections
import pathlib

import pytest

from vgg_slim.commands import foreign_flags

PAGE = pathlib.Path(__file__).parents[2] / 'docs/migration.md'

# Flags of the scripts of research/slim in 2017 and 2020.
TRAIN = """
master train_dir warmup_epochs num_clones clone_on_cpu worker_replicas num_ps_tasks num_readers
num_preprocessing_threads log_every_n_steps save_summaries_secs save_interval_secs task weight_decay
optimizer adadelta_rho adagrad_initial_accumulator_value adam_beta1 adam_beta2 opt_epsilon
ftrl_learning_rate_power ftrl_initial_accumulator_value ftrl_l1 ftrl_l2 momentum rmsprop_momentum
rmsprop_decay quantize_delay learning_rate_decay_type learning_rate end_learning_rate
label_smoothing learning_rate_decay_factor num_epochs_per_decay sync_replicas replicas_to_aggregate
moving_average_decay dataset_name dataset_split_name dataset_dir labels_offset model_name
preprocessing_name batch_size train_image_size max_number_of_steps use_grayscale checkpoint_path
checkpoint_exclude_scopes trainable_scopes ignore_missing_vars
"""
EVALUATE = """
batch_size max_num_batches master checkpoint_path eval_dir num_preprocessing_threads dataset_name
dataset_split_name dataset_dir labels_offset model_name preprocessing_name moving_average_decay
eval_image_size quantize use_grayscale
"""
EXPORT = """
model_name is_training image_size batch_size dataset_name labels_offset output_file dataset_dir
quantize is_video_model num_frames write_text_graphdef use_grayscale
"""
CONVERT = 'dataset_name dataset_dir small_object_area_threshold foreground_class_of_interest'


@pytest.mark.parametrize('flags', [TRAIN, EVALUATE, EXPORT, CONVERT])
def test_every_flag_of_slims_scripts_has_an_answer(flags):
  assert set(flags.split()) - set(foreign_flags.BY_NAME) == set()


def test_flags_of_other_programs_have_an_answer():
  flags = 'lr wd bs device workers pretrained resume arch batch b j num_gpus use_fp16 data_format'
  assert set(flags.split()) - set(foreign_flags.BY_NAME) == set()


@pytest.mark.parametrize('heading', foreign_flags.TABLES)
def test_the_page_on_migration_shows_the_table(heading):
  table = foreign_flags.to_markdown(foreign_flags.TABLES[heading], heading)
  assert f'\n\n{table}\n' in PAGE.read_text(encoding='utf-8')


def test_a_flag_has_one_answer():
  counts = collections.Counter(
    name for rows in foreign_flags.TABLES.values() for row in rows for name in row.names
  )
  assert [name for name, count in counts.items() if count > 1] == []
