// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/kernels/map_loops_on_host.h"
#include "tests/kernels/tested_backend.h"
#include "tests/kernels/train_loops_on_host.h"

namespace natscope::test {

namespace {

TrainBackend train_backend(const char* name, kernels::Backend backend) {
  return {
      name,
      [backend](const kernels::AttentionTrainInputs& inputs, kernels::View<float, 4> out, kernels::View<float, 3> lse) {
        return kernels::attention_train_forward(backend, inputs, out, lse);
      },
      [backend](const kernels::AttentionTrainInputs& inputs, kernels::ConstView<float, 4> out,
                kernels::ConstView<float, 3> lse, kernels::ConstView<float, 4> d_out, double lambda,
                kernels::View<float, 4> dq, kernels::View<float, 4> dk, kernels::View<float, 4> dv,
                kernels::View<float, 4> d_roles) {
        return kernels::attention_train_backward(backend, inputs, out, lse, d_out, lambda, dq, dk, dv, d_roles);
      }};
}

MapBackend map_backend(const char* name, kernels::Backend backend) {
  return {
      name,
      [backend](const kernels::AttentionMapSource& source, TokenPos first_query, TokenPos first_key, int zoom,
                kernels::View<float, 2> maximum, kernels::View<float, 2> mean, kernels::View<float, 2> visible_share) {
        return kernels::attention_tile(backend, source, first_query, first_key, zoom, maximum, mean, visible_share);
      },
      [backend](const kernels::AttentionMapSource& source, TokenPos first_query,
                std::span<const std::int32_t> other_last_query, const kernels::RowStatisticsOut& out) {
        return kernels::row_statistics(backend, source, first_query, other_last_query, out);
      }};
}

}  // namespace

std::vector<TrainBackend> train_backends() {
  return {train_backend("ref", kernels::Backend::ref),
          train_backend("cpu", kernels::Backend::cpu),
          {"cuda's loops on the host", train_loops_forward, train_loops_backward}};
}

std::vector<MapBackend> map_backends() {
  return {map_backend("ref", kernels::Backend::ref),
          map_backend("cpu", kernels::Backend::cpu),
          {"cuda's loops on the host", map_loops_tile, map_loops_statistics}};
}

}  // namespace natscope::test
