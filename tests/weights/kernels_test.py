"""Checks with NumPy that each transform keeps the output of its layer, on small random arrays."""

import numpy as np
import pytest

from vgg_slim.weights import kernels

RNG = np.random.default_rng(0)


def correlate(image, kernel):
  """Returns the VALID correlation of an image [H, W, C] with a kernel HWIO, by plain loops."""
  kh, kw, _, n_out = kernel.shape
  out = np.zeros([image.shape[0] - kh + 1, image.shape[1] - kw + 1, n_out])
  for i, j in np.ndindex(*out.shape[:2]):
    out[i, j] = np.tensordot(image[i : i + kh, j : j + kw], kernel, axes=3)
  return out


def test_conversion_from_oihw_keeps_the_correlation():
  oihw, chw = RNG.normal(size=[5, 3, 2, 4]), RNG.normal(size=[3, 6, 7])
  hwio = kernels.conv_oihw_to_hwio(oihw)
  assert hwio.shape == (2, 4, 3, 5)
  got = correlate(chw.transpose(1, 2, 0), hwio)
  for o, i, j in np.ndindex(5, 5, 4):
    assert np.isclose(got[i, j, o], np.sum(chw[:, i : i + 2, j : j + 4] * oihw[o]))
  np.testing.assert_array_equal(kernels.conv_hwio_to_oihw(hwio), oihw)


def test_converted_linear_layer_multiplies_from_the_right():
  matrix, x = RNG.normal(size=[5, 3]), RNG.normal(size=3)
  np.testing.assert_allclose(x @ kernels.linear_to_dense(matrix), matrix @ x)


def test_dense_layer_over_flattened_hwc_keeps_its_output():
  matrix, hwc = RNG.normal(size=[2 * 2 * 3, 5]), RNG.normal(size=[2, 2, 3])
  kernel = kernels.dense_hwc_to_conv(matrix, side=2)
  assert kernel.shape == (2, 2, 3, 5)
  np.testing.assert_allclose(np.tensordot(hwc, kernel, axes=3), hwc.ravel() @ matrix)
  np.testing.assert_array_equal(kernels.conv_to_dense_hwc(kernel), matrix)


def test_dense_layer_over_flattened_chw_keeps_its_output():
  matrix, chw = RNG.normal(size=[3 * 2 * 2, 5]), RNG.normal(size=[3, 2, 2])
  kernel = kernels.dense_chw_to_conv(matrix, side=2)
  got = np.tensordot(chw.transpose(1, 2, 0), kernel, axes=3)
  np.testing.assert_allclose(got, chw.ravel() @ matrix)
  np.testing.assert_array_equal(kernels.conv_to_dense_chw(kernel), matrix)


def test_kernel_with_swapped_channels_takes_the_swapped_image():
  kernel, rgb = RNG.normal(size=[3, 3, 3, 4]), RNG.normal(size=[5, 6, 3])
  got = correlate(rgb, kernels.swap_rgb_bgr(kernel))
  np.testing.assert_allclose(got, correlate(rgb[:, :, ::-1], kernel))


def test_divided_kernel_takes_the_undivided_image_including_its_padding():
  kernel, rgb = RNG.normal(size=[3, 3, 3, 4]), RNG.normal(size=[5, 6, 3])
  divisors = (58.395, 57.12, 57.375)
  padding = [(1, 1), (1, 1), (0, 0)]
  got = correlate(np.pad(rgb, padding), kernels.divide_input_channels(kernel, divisors))
  np.testing.assert_allclose(got, correlate(np.pad(rgb / divisors, padding), kernel))


def batch_norm(x, gamma, beta, mean, variance, epsilon):
  return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta


def test_bias_folded_into_the_mean_keeps_the_output():
  x, gamma, beta, mean, bias = RNG.normal(size=[5, 4])
  variance = RNG.uniform(0.5, 2, 4)
  folded = kernels.fold_bias_into_mean(mean, bias)
  np.testing.assert_allclose(
    batch_norm(x, gamma, beta, folded, variance, 1e-3),
    batch_norm(x + bias, gamma, beta, mean, variance, 1e-3),
  )


@pytest.mark.parametrize(('source', 'target'), [(1e-3, 1e-5), (1e-5, 1e-3), (1e-5, 1.001e-5)])
def test_moved_epsilon_keeps_the_output(source, target):
  x, gamma, beta, mean = RNG.normal(size=[4, 5])
  # The smallest variances cannot absorb the difference where the source epsilon is smaller.
  variance = np.array([0, 1e-7, 1e-4, 0.1, 2])
  moved_gamma, moved_variance = kernels.move_epsilon(gamma, variance, source, target)
  assert (moved_variance >= 0).all()
  np.testing.assert_allclose(
    batch_norm(x, moved_gamma, beta, mean, moved_variance, target),
    batch_norm(x, gamma, beta, mean, variance, source),
    rtol=1e-10,
  )


def test_equal_epsilons_return_the_arguments():
  gamma, variance = np.float32([1, 2]), np.float32([0, 3])
  moved_gamma, moved_variance = kernels.move_epsilon(gamma, variance, 1e-3, 1e-3)
  assert moved_gamma is gamma
  assert moved_variance is variance
