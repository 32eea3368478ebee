// SPDX-License-Identifier: GPL-3.0-or-later
#include <cstdint>

#include "kernels/cuda/attention_map.h"
#include "kernels/cuda/attention_train.h"
#include "tests/kernels/device_call.h"
#include "tests/kernels/tested_backend.h"

namespace natscope::test {

namespace {

using kernels::AttentionMapSource;
using kernels::AttentionTrainInputs;
using kernels::ConstView;
using kernels::Status;
using kernels::StoredRows;
using kernels::View;
namespace cuda = kernels::cuda;

AttentionTrainInputs on_device(DeviceCall& call, const AttentionTrainInputs& inputs) {
  return {call.in(inputs.q), call.in(inputs.k), call.in(inputs.v), call.in(inputs.roles), inputs.window, inputs.dtype};
}

Status train_forward(const AttentionTrainInputs& inputs, View<float, 4> out, View<float, 3> lse) {
  return run_twice_on_device([&](DeviceCall& call) {
    const std::int64_t bytes = cuda::attention_train_scratch_bytes(inputs, false);
    return cuda::attention_train_forward(on_device(call, inputs), call.out(out), call.out(lse), call.scratch(bytes),
                                         bytes, nullptr);
  });
}

Status train_backward(const AttentionTrainInputs& inputs, ConstView<float, 4> out, ConstView<float, 3> lse,
                      ConstView<float, 4> d_out, double lambda, View<float, 4> dq, View<float, 4> dk, View<float, 4> dv,
                      View<float, 4> d_roles) {
  return run_twice_on_device([&](DeviceCall& call) {
    const std::int64_t bytes = cuda::attention_train_scratch_bytes(inputs, true);
    return cuda::attention_train_backward(on_device(call, inputs), call.in(out), call.in(lse), call.in(d_out), lambda,
                                          call.out(dq), call.out(dk), call.out(dv), call.out(d_roles),
                                          call.scratch(bytes), bytes, nullptr);
  });
}

AttentionMapSource on_device(DeviceCall& call, const AttentionMapSource& source) {
  const auto rows = [&](StoredRows stored) {
    const std::int64_t elements = stored.rows > 0 ? (stored.rows - 1) * stored.row_stride + stored.cols : 0;
    stored.data = call.in(stored.data, elements * kernels::element_bytes(stored.dtype));
    return stored;
  };
  return {rows(source.queries), rows(source.keys), call.in(source.lse), call.in(source.last_query)};
}

Status map_tile(const AttentionMapSource& source, TokenPos first_query, TokenPos first_key, int zoom,
                View<float, 2> maximum, View<float, 2> mean, View<float, 2> visible_share) {
  return run_twice_on_device([&](DeviceCall& call) {
    return cuda::attention_tile(on_device(call, source), first_query, first_key, zoom, call.out(maximum),
                                call.out(mean), call.out(visible_share), nullptr);
  });
}

Status map_statistics(const AttentionMapSource& source, TokenPos first_query,
                      std::span<const std::int32_t> other_last_query, const kernels::RowStatisticsOut& out) {
  return run_twice_on_device([&](DeviceCall& call) {
    return cuda::row_statistics(on_device(call, source), first_query, call.in(other_last_query),
                                {call.out(out.entropy), call.out(out.sink_weight), call.out(out.self_weight),
                                 call.out(out.distance), call.out(out.lost)},
                                nullptr);
  });
}

}  // namespace

std::vector<TrainBackend> train_backends() { return {{"cuda", train_forward, train_backward}}; }
std::vector<MapBackend> map_backends() { return {{"cuda", map_tile, map_statistics}}; }

}  // namespace natscope::test
