from vgg_slim.benchmarks import predicted_memory
from vgg_slim.benchmarks.workload import Workload


def test_the_line_compares_a_peak_with_the_prediction_of_the_same_step():
  plain = predicted_memory.compare(Workload('train_step', 'vgg16', 16, 224), 2 * 2**30)
  assert plain.startswith('Predicted peak ')
  predicted = float(plain.split()[2])
  assert 'measured 2.0 GiB' in plain
  # The prediction is printed with one digit after the point.
  assert abs(float(plain.split()[-4]) * predicted - 2) < 0.1
  within = predicted_memory.compare(
    Workload('train_step', 'vgg16', 16, 224, memory_budget='3GB'), 2 * 2**30
  )
  assert within.startswith('Memory budget 3GB: batch 16')
  assert float(within.partition('. Predicted peak ')[2].split()[0]) < predicted
