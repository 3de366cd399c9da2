"""Peak memory of a training step beside its prediction."""

from vgg_slim.benchmarks import synthetic
from vgg_slim.benchmarks.workload import Workload
from vgg_slim.nets.summary import format_bytes
from vgg_slim.training import memory_plan, step_memory


def compare(workload: Workload, peak: int) -> str:
  """A line with the plan of a training step, its predicted peak and the measured one.

  Args:
    workload: workload of the kind 'train_step'.
    peak: measured peak of its process, in bytes.
  """
  config = synthetic.train_config(workload)
  plan = memory_plan.choose(config)
  predicted = step_memory.describe(config).peak(
    workload.batch_size // plan.micro_batches, plan.micro_batches, plan.stage_parts
  )
  chosen = memory_plan.describe(config, plan)
  return (
    f'{f"{chosen} " if chosen else ""}Predicted peak {format_bytes(predicted)}, measured '
    f'{format_bytes(peak)}: {peak / predicted:.2f} of the prediction.'
  )
