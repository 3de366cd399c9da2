import dataclasses

import pytest

from tests.configs import config_test
from tests.testing import graph_session, make_contract, random_values
from vgg_slim.checkpoints.contract import write_contract
from vgg_slim.compat import tf
from vgg_slim.configs.config import FineTuneConfig
from vgg_slim.errors import CheckpointError, ConfigError
from vgg_slim.nets import specs
from vgg_slim.training import warm_start

VGG16 = specs.get('vgg16')
NETWORK = {
  'vgg_16/conv1/conv1_1/weights': [3, 3, 3, 64],
  'vgg_16/fc7/weights': [1, 1, 8, 8],
  'vgg_16/fc8/weights': [1, 1, 8, 2],
  'vgg_16/fc8/biases': [2],
}


def plan(file_shapes, network=None, spec=VGG16, checkpoint='some.ckpt', **fine_tune):
  config = FineTuneConfig(checkpoint, **fine_tune)
  result = warm_start.plan_restore(network or NETWORK, file_shapes, spec, config)
  warm_start.check_plan(result, checkpoint, spec, config)
  return result


def test_every_variable_is_in_exactly_one_list():
  in_file = {
    **NETWORK,
    'vgg_16/fc9/weights': [1],
    'global_step': [],
    'vgg_16/fc7/weights/Momentum': [8],
  }
  del in_file['vgg_16/fc7/weights']
  result = plan(in_file, checkpoint_exclude_scopes=('vgg_16/conv1',), ignore_missing_vars=True)
  assert result == warm_start.RestorePlan(
    matched={n: n for n in ('vgg_16/fc8/weights', 'vgg_16/fc8/biases')},
    excluded=('vgg_16/conv1/conv1_1/weights',),
    mismatches=(),
    initial=('vgg_16/fc7/weights',),
    unused=('vgg_16/conv1/conv1_1/weights', 'vgg_16/fc9/weights'),
  )
  text = result.text()
  assert text.splitlines() == [
    'restored: 2 variables',
    'excluded, left at their initial value: 1 variable: vgg_16/conv1/conv1_1/weights',
    'not in the file, left at their initial value: 1 variable: vgg_16/fc7/weights',
    'in the file, not used: 2 variables: vgg_16/conv1/conv1_1/weights, vgg_16/fc9/weights',
  ]


def test_the_report_of_a_large_network_is_short():
  names = [f'resnet/block{number}/weights' for number in range(320)]
  matched = warm_start.RestorePlan({n: n for n in names[:160]}, (), (), (), tuple(names[160:]))
  restored, unused = matched.text().splitlines()
  assert restored == 'restored: 160 variables'
  assert unused.startswith('in the file, not used: 160 variables: resnet/block160/weights, ')
  assert unused.endswith(' and 155 more')


def test_a_new_head_excludes_the_last_layer():
  other_classes = {**NETWORK, 'vgg_16/fc8/weights': [1, 1, 8, 1000], 'vgg_16/fc8/biases': [1000]}
  with pytest.raises(CheckpointError, match=r'file \[1, 1, 8, 1000\], network .*give --new_head'):
    plan(other_classes)
  result = plan(other_classes, new_head=True)
  assert result.excluded == ('vgg_16/fc8/weights', 'vgg_16/fc8/biases')
  assert len(result.matched) == 2


def test_a_new_head_on_a_trunk_excludes_all_layers_of_the_head():
  trunk = {'vgg_16/conv1/conv1_1/weights': [3, 3, 3, 64]}
  with pytest.raises(CheckpointError, match='lacks 3 variables'):
    plan(trunk)
  result = plan(trunk, new_head=True)
  assert set(result.excluded) == set(NETWORK) - set(trunk)
  assert set(result.matched) == set(trunk)


def test_a_mismatch_below_the_last_layer_does_not_suggest_a_new_head():
  with pytest.raises(CheckpointError) as error:
    plan({**NETWORK, 'vgg_16/fc7/weights': [1, 1, 9, 9]})
  assert 'vgg_16/fc7/weights: file [1, 1, 9, 9], network [1, 1, 8, 8].' in str(error.value)
  assert '--new_head' not in str(error.value)
  other_classes = {'vgg_16/fc8/weights': [1, 1, 8, 1000], 'vgg_16/fc8/biases': [1000]}
  with pytest.raises(CheckpointError) as error:
    plan({**NETWORK, **other_classes, 'vgg_16/fc7/weights': [1, 1, 9, 9]})
  assert 'fc8/biases: file [1000], network [2].' in str(error.value)
  assert '--new_head' not in str(error.value)


def test_missing_variables_are_refused_unless_allowed():
  in_file = {'vgg_16/fc7/weights': [1, 1, 8, 8]}
  with pytest.raises(CheckpointError, match='lacks 3 variables: .*--ignore_missing_vars'):
    plan(in_file)
  assert len(plan(in_file, ignore_missing_vars=True).initial) == 3


@pytest.mark.parametrize('held', ['vgg16', 'vgg_d'])
def test_weights_of_another_network_are_refused_with_its_name(tmp_path, held):
  contract = make_contract('vgg19', 3, 32, 16, rgb_mean=(1, 2, 3), class_names=('a', 'b', 'c'))
  write_contract(tmp_path / 'w.json', contract)
  refused = [
    {'vgg_16/fc7/weights': [1, 1, 8, 8]},
    {'vgg_19/fc7/weights': [1, 1, 8, 8]},
    {**NETWORK, 'vgg_16/fc7/weights': [1, 1, 9, 9]},
  ]
  for in_file in refused:
    with pytest.raises(CheckpointError, match=r'are weights of vgg19: give --model=vgg19\.$'):
      plan(in_file, checkpoint=str(tmp_path / 'w'))
  with pytest.raises(CheckpointError) as error:  # weights of another network are wanted
    plan(refused[-1], checkpoint=str(tmp_path / 'w'), from_net_a=True)
  assert 'are weights of' not in str(error.value)
  own = make_contract(held, 3, 32, 16, rgb_mean=(1, 2, 3), class_names=('a', 'b', 'c'))
  write_contract(tmp_path / 'w.json', own)
  for in_file in refused:
    with pytest.raises(CheckpointError) as error:
      plan(in_file, checkpoint=str(tmp_path / 'w'))
    assert 'are weights of' not in str(error.value)


def test_a_file_without_any_variable_of_the_network_is_refused():
  with pytest.raises(CheckpointError, match='holds no variables of vgg_d, only other/weights.'):
    plan({'other/weights': [3]}, ignore_missing_vars=True)
  for count, named in ((4, r'a, b, c, d\.$'), (5, r'a, b, c, d, \.\.\.\.$')):
    with pytest.raises(CheckpointError, match=f'holds no variables of vgg_d, only {named}'):
      plan({name: [3] for name in 'abcde'[:count]}, ignore_missing_vars=True)


def test_a_scope_that_matches_nothing_is_an_error_with_a_suggestion():
  with pytest.raises(ConfigError) as error:
    plan(NETWORK, checkpoint_exclude_scopes=('fc8', 'vgg_16/fc7', 'vgg_61/fc7'))
  assert str(error.value) == (
    "--checkpoint_exclude_scopes: no variable is under 'fc8' (did you mean 'vgg_16/fc8'?), "
    "'vgg_61/fc7' (did you mean 'vgg_16/fc7'?)."
  )


@pytest.mark.parametrize('model', ['vgg_b', 'vgg_c', 'vgg_d', 'vgg_e'])
def test_net_a_gives_four_convolutions_and_three_fully_connected_layers(model):
  spec, net_a = specs.get(model), specs.get('vgg_a')
  network = {f'{spec.scope}/{n}': list(s) for n, s in spec.parameter_shapes(10).items()}
  in_file = {f'vgg_a/{n}': list(s) for n, s in net_a.parameter_shapes(10).items()}
  result = plan(in_file, network, spec, from_net_a=True)
  layers = {name.rpartition('/')[0] for name in result.matched.values()}
  assert layers == {
    f'vgg_a/{layer}'
    for layer in (
      'conv1/conv1_1',
      'conv2/conv2_1',
      'conv3/conv3_1',
      'conv3/conv3_2',
      'fc6',
      'fc7',
      'fc8',
    )
  }
  assert len(result.matched) == 14
  assert result.matched[f'{spec.scope}/fc6/weights'] == 'vgg_a/fc6/weights'
  assert len(result.initial) == len(network) - 14


def test_the_saver_restores_what_the_plan_matched(tmp_path):
  values = random_values({'vgg_16/a/weights': [2, 3], 'vgg_16/fc8/weights': [4]})
  with graph_session() as session:
    variables = {n: tf.get_variable(n, initializer=v) for n, v in values.items()}
    session.run(tf.global_variables_initializer())
    checkpoint = tf.train.Saver().save(session, str(tmp_path / 'model.ckpt'))
  with graph_session() as session:
    variables = [
      tf.get_variable('vgg_16/a/weights', [2, 3], initializer=tf.zeros_initializer()),
      tf.get_variable('vgg_16/fc8/weights', [7], initializer=tf.zeros_initializer()),
    ]
    config = FineTuneConfig(checkpoint, new_head=True)
    _, saver = warm_start.build_warm_start(variables, VGG16, config)
    session.run(tf.global_variables_initializer())
    saver.restore(session, checkpoint)
    restored, head = session.run(variables)
  assert (restored == values['vgg_16/a/weights']).all()
  assert not head.any()


class TestContract:
  """The checkpoint's contract against the config of the run."""

  @pytest.fixture
  def check(self, tmp_path):
    def check(class_names=('a', 'b', 'c'), rgb_mean=(1, 2, 3), wanted=('a', 'b', 'c'), **fine_tune):
      started = make_contract('vgg16', 3, 32, 16, rgb_mean=rgb_mean, class_names=class_names)
      write_contract(tmp_path / 'w.json', started)
      config = config_test.a_config()
      config = dataclasses.replace(
        config,
        net=dataclasses.replace(config.net, num_classes=len(wanted)),
        class_names=wanted,
        fine_tune=FineTuneConfig(str(tmp_path / 'w'), **fine_tune),
      )
      return warm_start.check_contract(config)

    return check

  def test_the_same_classes_pass_and_so_do_unknown_ones(self, check):
    assert check() is None
    assert check(class_names=None) is None

  def test_classes_in_another_order_are_refused(self, check):
    with pytest.raises(CheckpointError, match='another order: .*--new_head .*--ignore_class_names'):
      check(class_names=('b', 'a', 'c'))

  def test_ignoring_names_is_not_suggested_for_another_number_of_classes(self, check):
    with pytest.raises(CheckpointError, match='3 of them, here 2. Give --new_head .* layer.$'):
      check(wanted=('a', 'b'))

  @pytest.mark.parametrize(
    'fine_tune',
    [
      {'new_head': True},
      {'ignore_class_names': True},
      {'checkpoint_exclude_scopes': ('vgg_16/fc8',)},
    ],
  )
  def test_other_classes_are_allowed_by_flags(self, check, fine_tune):
    assert check(class_names=('x', 'y', 'z'), **fine_tune) is None

  def test_other_preprocessing_is_refused_even_with_a_new_head(self, check):
    with pytest.raises(CheckpointError, match='rgb_mean .*, here'):
      check(rgb_mean=(3, 2, 1), new_head=True)
