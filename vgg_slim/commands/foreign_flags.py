"""Flags of other programs and what to write for them here; docs/migration.md shows these tables."""

from typing import NamedTuple

SLIM = 'research/slim'
BENCHMARKS = 'tf_cnn_benchmarks'
TORCH = 'torch, timm, Keras'


class Row(NamedTuple):
  """What to write for some flags.

  Attributes:
    names: names of the flags, with '_' for '-'.
    answer: Markdown; the equivalent, or why there is none.
    exists: whether there is an equivalent.
  """

  names: tuple[str, ...]
  answer: str
  exists: bool = True


def _row(names: str, answer: str) -> Row:
  return Row(tuple(names.split()), answer)


def _none(names: str, reason: str) -> Row:
  return Row(tuple(names.split()), reason, exists=False)


TABLES: dict[str, tuple[Row, ...]] = {
  SLIM: (
    _row(
      'model_name',
      '`--model=vgg16` for `vgg_16`; `vgg_19`: `vgg19`; `vgg_a`, `resnet_v1_50`, `_101`, `_152` '
      'keep their names',
    ),
    _row(
      'dataset_name dataset_dir',
      '`--data_dir`, whose manifest has names, classes and counts; data sets are converted by '
      '`tools/convert_to_tfrecord --dataset=NAME --output_dir=FOLDER`',
    ),
    _row('dataset_split_name', 'training uses the split `train`; `--split` of `tools/evaluate`'),
    _none(
      'preprocessing_name',
      "VGG's preprocessing serves all networks and is recorded in the checkpoint's contract",
    ),
    _none('use_grayscale', 'gray images become R = G = B'),
    _row(
      'train_image_size eval_image_size',
      '`--image_size`; evaluation takes it from the run, and `--test_scales` of `tools/evaluate` '
      'sets Q',
    ),
    _none('labels_offset', 'labels count from 0, and a checkpoint records its classes'),
    _row('eval_dir', '`--output` of `tools/evaluate`'),
    _row(
      'batch_size',
      '`--batch_size`, for the whole run; there it was per clone. An export takes any number of '
      'images',
    ),
    _row('max_number_of_steps', '`--max_steps`, or `--epochs`'),
    _none(
      'num_readers num_preprocessing_threads',
      'the order of the images depends on the seed, not on the number of threads',
    ),
    _row(
      'optimizer',
      '`--optimizer`: momentum (the default; there rmsprop), sgd, adam, adamw, rmsprop',
    ),
    _none(
      'adadelta_rho adagrad_initial_accumulator_value ftrl_learning_rate_power '
      'ftrl_initial_accumulator_value ftrl_l1 ftrl_l2',
      'there is no adadelta, adagrad or ftrl; see `--optimizer`',
    ),
    _row(
      'momentum rmsprop_momentum',
      '`--momentum` for both; for rmsprop it defaults to 0, so give `--momentum=0.9` for that of '
      'slim',
    ),
    _row('rmsprop_decay adam_beta1 adam_beta2', 'the same names'),
    _row('opt_epsilon', '`--opt_epsilon`; 1e-8 by default, there 1.0'),
    _row('learning_rate', '`--learning_rate`; by default chosen for the network, there 0.01'),
    _row('learning_rate_decay_type', 'the same name: fixed, exponential, polynomial and more'),
    _row('learning_rate_decay_factor warmup_epochs', 'the same names'),
    _row(
      'num_epochs_per_decay',
      '`--epochs_per_decay`; the rate falls in stairs as there, or continuously with '
      '`--nostaircase`',
    ),
    _row(
      'end_learning_rate',
      '`--end_learning_rate`; polynomial decay ends with the run, or after `--schedule_epochs`',
    ),
    _row('weight_decay', '`--weight_decay`; 5e-4 by default, there 4e-5'),
    _row('label_smoothing moving_average_decay', 'the same names; validation uses the averages'),
    _none(
      'quantize_delay quantize',
      'there is no quantized training, but `tools/export_model --format=tflite_int8`',
    ),
    _row('train_dir', '`--train_dir`, which also holds the results of validation'),
    _row(
      'checkpoint_path',
      '`--checkpoint_path`, for a new run; a resumed run uses its own checkpoint, as there',
    ),
    _row(
      'checkpoint_exclude_scopes trainable_scopes',
      'the same names; a scope that matches nothing is an error; `head` stands for the head',
    ),
    _row('ignore_missing_vars', 'the same name'),
    _row('log_every_n_steps', '`--log_every_steps`'),
    _row('save_interval_secs', 'a checkpoint with every validation, and `--save_every_steps`'),
    _row(
      'save_summaries_secs',
      'scalars are written with every progress line; `--histogram_every_steps`, '
      '`--image_summary_every_steps`',
    ),
    _row('num_clones', '`--num_devices`'),
    _row('clone_on_cpu', '`--gpus=none`'),
    _row(
      'worker_replicas sync_replicas replicas_to_aggregate task master',
      'the environment variable `TF_CONFIG`; workers are always synchronous',
    ),
    _none('num_ps_tasks', 'there are no parameter servers'),
    _none('max_num_batches', 'every image is scored exactly once'),
    _row(
      'output_file is_training write_text_graphdef',
      '`tools/export_model --format=saved_model --output=FOLDER`, which includes the weights',
    ),
    _row('image_size', '`--image_size`; `--input_shape` of `tools/export_model`'),
    _none('is_video_model num_frames', 'there are no networks for video'),
    _none(
      'small_object_area_threshold foreground_class_of_interest',
      'Visual Wake Words is not converted',
    ),
  ),
  BENCHMARKS: (
    _row('num_gpus', '`--num_devices`'),
    _row('gpu_indices', '`--gpus`'),
    _row(
      'device local_parameter_device', '`--gpus=none` for the CPU; GPUs are found by themselves'
    ),
    _none('data_format', 'all networks are NHWC'),
    _row(
      'use_fp16 fp16_vars fp16_loss_scale fp16_enable_auto_loss_scale fp16_inc_loss_scale_every_n',
      '`--precision=float16`, whose loss scale adapts itself',
    ),
    _row('num_batches', '`--max_steps`; `--num_batches` of `tools/benchmark`'),
    _row('num_warmup_batches', '`--warmup` of `tools/benchmark`'),
    _row('num_epochs', '`--epochs`'),
    _row('display_every', '`--log_every_steps`'),
    _row('data_name', '`--data_dir`; `--dataset` of `tools/convert_to_tfrecord`'),
    _row('forward_only freeze_when_forward_only', '`tools/benchmark --what=forward`'),
    _row(
      'eval eval_interval_secs num_eval_batches num_eval_epochs eval_during_training_every_n_steps',
      'training validates, too; `tools/evaluate --train_dir=FOLDER`',
    ),
    _row('eval_during_training_every_n_epochs', '`--validate_every_epochs`'),
    _row('eval_batch_size', '`--validation_batch_size`'),
    _row(
      'variable_update all_reduce_spec cross_replica_sync job_name task_index ps_hosts '
      'worker_hosts controller_host server_protocol horovod_device',
      'the environment variable `TF_CONFIG`; workers are always synchronous',
    ),
    _row('init_learning_rate', '`--learning_rate`'),
    _row(
      'piecewise_learning_rate_schedule',
      '`--learning_rate_boundaries` and `--learning_rate_values`',
    ),
    _row('num_learning_rate_warmup_epochs', '`--warmup_epochs`'),
    _row('minimum_learning_rate', '`--end_learning_rate`'),
    _row('gradient_clip', '`--clip_gradient_norm`, which limits the norm; there the values'),
    _row('rmsprop_epsilon adam_epsilon', '`--opt_epsilon`'),
    _row('num_intra_threads num_inter_threads', '`--num_threads`'),
    _row(
      'distortions',
      '`--train_scale_min`, `--train_scale_max`, `--rgb_shift`; `--random_flip`, on by default',
    ),
    _row('xla_compile', '`--xla`'),
    _row('tf_random_seed', '`--seed`'),
    _row('trace_file tfprof_file use_chrome_trace_format', '`--profile_steps`'),
    _row('graph_file', 'the graph is in `--train_dir`, for TensorBoard'),
    _row('save_model_steps save_model_secs', '`--save_every_steps`'),
    _row('max_ckpts_to_keep', '`--keep_checkpoints`'),
    _row(
      'summary_verbosity save_summaries_steps',
      '`--histogram_every_steps`, `--image_summary_every_steps`',
    ),
    _row('allow_growth', '`--gpu_memory_growth`'),
    _none('print_training_accuracy', 'the accuracy is always printed'),
    _row('stop_at_top_1_accuracy', '`--early_stop_patience`, which stops without improvement'),
    _row('backbone_model_path', '`--checkpoint_path`'),
    _none('mkl kmp_blocktime kmp_affinity kmp_settings', 'oneDNN is on by default'),
  ),
  TORCH: (
    _row('a arch model_type network backbone', '`--model`'),
    _row('lr base_lr', '`--learning_rate`'),
    _row('wd l2', '`--weight_decay`'),
    _row('b bs batch', '`--batch_size`, for the whole run'),
    _row('val_batch_size', '`--validation_batch_size`'),
    _row('max_epochs', '`--epochs`'),
    _none('steps_per_epoch', 'an epoch is every image once'),
    _none('j workers num_workers', 'all cores decode images; `--num_threads` limits TensorFlow'),
    _row('gpu gpu_id gpu_ids num_devices_per_node', '`--gpus`'),
    _row(
      'world_size rank local_rank dist_url dist_backend multiprocessing_distributed',
      'the environment variable `TF_CONFIG`; workers are always synchronous',
    ),
    _row('sync_bn', '`--sync_batch_norm`'),
    _row('pretrained', '`--weights=imagenet`, with `--new_head` for other classes'),
    _row(
      'initial_checkpoint init_checkpoint',
      '`--checkpoint_path` of weights that `tools/import_weights` wrote, with `--new_head` for '
      'other classes',
    ),
    _row(
      'resume start_epoch initial_epoch',
      'the same command again: a run resumes from the newest checkpoint in `--train_dir`',
    ),
    _row('evaluate test_only', '`tools/evaluate --train_dir=FOLDER`'),
    _row('data data_path dataset dataroot', '`--data_dir`, written by `tools/convert_to_tfrecord`'),
    _row('train_split val_split', '`--split` of `tools/evaluate`'),
    _row('validation_split', '`--validation_fraction` of `tools/convert_to_tfrecord`'),
    _none(
      'num_classes', 'the manifest in `--data_dir` has the classes, and weights have their own'
    ),
    _row('img_size input_size crop_size', '`--image_size`'),
    _row('mean std', '`--rgb_mean` and `--rgb_std` of `tools/import_weights`'),
    _row('opt', '`--optimizer`'),
    _row('opt_eps', '`--opt_epsilon`'),
    _row('sched lr_scheduler', '`--learning_rate_decay_type`'),
    _row('lr_step_size decay_epochs', '`--epochs_per_decay`'),
    _row('lr_gamma gamma decay_rate', '`--learning_rate_decay_factor`'),
    _row('min_lr', '`--end_learning_rate`'),
    _row('patience', '`--early_stop_patience`; `--plateau_patience` for the learning rate'),
    _row('smoothing', '`--label_smoothing`'),
    _row('mixup_alpha', '`--mixup`'),
    _row('cutmix_alpha', '`--cutmix`'),
    _row('reprob random_erase', '`--random_erasing`'),
    _row('hflip', '`--random_flip`'),
    _row('color_jitter', '`--rgb_shift`, `--brightness_min` and `--brightness_max`'),
    _none('aa auto_augment', 'there are no learned policies of augmentation'),
    _row('drop dropout', '`--dropout_keep_prob`, the fraction that is kept'),
    _row('model_ema model_ema_decay', '`--moving_average_decay`'),
    _row('amp fp16 half', '`--precision=bfloat16`, or float16 on GPUs without it'),
    _row('clip_grad clip_grad_norm', '`--clip_gradient_norm`'),
    _row('accumulation_steps grad_accum_steps', '`--gradient_accumulation_steps`'),
    _row('p print_freq log_interval', '`--log_every_steps`'),
    _row('save_freq', '`--save_every_steps`; a checkpoint is written with every validation'),
    _row('checkpoint_hist', '`--keep_checkpoints`'),
    _row('output_dir save_dir log_dir logdir model_dir work_dir experiment', '`--train_dir`'),
    _row('no_cuda use_cuda cuda', '`--gpus=none` for the CPU; GPUs are found by themselves'),
  ),
}

# A name that several programs have keeps the answer of the first.
BY_NAME = {name: row for rows in reversed(TABLES.values()) for row in rows for name in row.names}


def to_markdown(rows: tuple[Row, ...], heading: str) -> str:
  """Returns the table as docs/migration.md shows it."""
  lines = [f'| {heading} | here |', '|---|---|']
  for row in rows:
    names = ', '.join(f'`{name}`' for name in row.names)
    lines.append(f'| {names} | {"" if row.exists else "- ; "}{row.answer} |')
  return '\n'.join(lines)
