// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/commands/kernel_operations.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "app/cli/commands/device_attention.h"
#include "app/cli/terminal/note.h"
#include "core/base/checked_math.h"
#include "core/io/safetensors_writer.h"
#include "kernels/attention_train.h"
#include "kernels/shared_work.h"
#include "kernels/token_roles.h"

namespace natscope {
namespace {

/// An array of a file: its numbers in aligned memory and its shape.
template <class T>
struct Array {
  std::vector<T> values;
  std::vector<std::int64_t> shape;

  template <int Rank>
  [[nodiscard]] kernels::ConstView<T, Rank> view() const {
    std::array<std::int64_t, Rank> sizes{};
    for (std::size_t axis = 0; axis < Rank; ++axis) sizes[axis] = shape[axis];
    return kernels::ConstView<T, Rank>::packed(values.data(), sizes);
  }
};

template <class T>
Expected<Array<T>> read_array(const SafetensorsFile& file, const char* name, std::size_t rank) {
  const TensorInfo* tensor = file.find(name);
  if (tensor == nullptr) return fail(ErrorCode::bad_arrays, std::string("there is no array \"") + name + "\"");
  if (tensor->shape.size() != rank) {
    return fail(ErrorCode::bad_arrays, std::string(name) + " has shape " + shape_text(tensor->shape) + ", it needs " +
                                           std::to_string(rank) + " dimensions");
  }
  NATSCOPE_TRY(auto values, tensor_values<T>(*tensor));
  return Array<T>{std::move(values), tensor->shape};
}

Expected<Array<Role>> read_roles(const SafetensorsFile& file, std::size_t rank) {
  NATSCOPE_TRY(const auto numbers, read_array<std::uint8_t>(file, "roles", rank));
  Array<Role> roles{{}, numbers.shape};
  roles.values.reserve(numbers.values.size());
  for (const std::uint8_t number : numbers.values) {
    if (number >= role_count)
      return fail(ErrorCode::bad_arrays, "roles holds " + std::to_string(number) + "; 0 is G, 1 L, 2 S");
    roles.values.push_back(static_cast<Role>(number));
  }
  return roles;
}

const std::string* metadata_value(const SafetensorsFile& file, const char* key) {
  const auto found = file.metadata().find(key);
  return found == file.metadata().end() ? nullptr : &found->second;
}

Expected<std::int64_t> read_window(const SafetensorsFile& file) {
  const std::string* text = metadata_value(file, "window");
  if (text == nullptr) return fail(ErrorCode::bad_arrays, "the metadata has no \"window\"");
  std::int64_t window = 0;
  const auto [end, problem] = std::from_chars(text->data(), text->data() + text->size(), window);
  if (problem == std::errc::result_out_of_range) {
    return fail(ErrorCode::bad_arrays, "the metadata's window is larger than any text: " + printable(*text, 40));
  }
  if (problem != std::errc{} || end != text->data() + text->size() || window < 0) {
    return fail(ErrorCode::bad_arrays, "the metadata's window is \"" + *text + "\", not a whole number from 0 up");
  }
  return window;
}

Expected<double> read_regulariser(const SafetensorsFile& file) {
  const std::string* text = metadata_value(file, "sparse_regularized_value");
  if (text == nullptr) return 0.0;
  double value = 0;
  const auto [end, problem] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (problem != std::errc{} || end != text->data() + text->size() || !std::isfinite(value)) {
    return fail(ErrorCode::bad_arrays, "the metadata's sparse_regularized_value is \"" + *text + "\", not a number");
  }
  return value;
}

Expected<void> as_expected(const kernels::Status& status) {
  using kernels::StatusCode;
  switch (status.code) {
    case StatusCode::ok:
      return {};
    case StatusCode::out_of_memory:
      return fail(ErrorCode::out_of_memory, status.detail);
    case StatusCode::backend_unavailable:
      return fail(ErrorCode::device_unavailable, status.detail);
    case StatusCode::shape_mismatch:
    case StatusCode::invalid_argument:
    case StatusCode::unsupported_dtype:
    case StatusCode::unsupported_shape:
      return fail(ErrorCode::bad_arrays, status.detail);
  }
  return fail(ErrorCode::internal, "an operation ended with an unknown status");
}

template <class T>
TensorToWrite to_write(const char* name, DType dtype, std::vector<std::int64_t> shape, const std::vector<T>& values) {
  TensorToWrite tensor;
  tensor.name = name;
  tensor.dtype = dtype;
  tensor.shape = std::move(shape);
  tensor.data = std::as_bytes(std::span(values));
  return tensor;
}

/// NaN until a kernel wrote it: what was forgotten shows.
std::vector<float> unwritten(std::size_t size) {
  return std::vector<float>(size, std::numeric_limits<float>::quiet_NaN());
}

/// What both attention operations read. Where one size is 0 the others can be anything: no loop and no array may be as
/// long as they say.
struct AttentionArrays {
  Array<float> q, k, v;
  Array<Role> roles;
  std::int64_t window = 0;

  [[nodiscard]] kernels::AttentionTrainInputs inputs(kernels::ElementType dtype) const {
    return {q.view<4>(), k.view<4>(), v.view<4>(), roles.view<3>(), window, dtype};
  }
  [[nodiscard]] bool is_empty() const { return q.values.empty(); }
  [[nodiscard]] std::vector<std::int64_t> lse_shape() const { return {q.shape[0], q.shape[1], q.shape[2]}; }
  [[nodiscard]] std::array<std::int64_t, 4> q_sizes() const { return {q.shape[0], q.shape[1], q.shape[2], q.shape[3]}; }
  [[nodiscard]] std::array<std::int64_t, 4> k_sizes() const { return {k.shape[0], k.shape[1], k.shape[2], k.shape[3]}; }
};

Expected<AttentionArrays> read_attention(const SafetensorsFile& file) {
  AttentionArrays arrays;
  NATSCOPE_TRY(arrays.q, read_array<float>(file, "q", 4));
  NATSCOPE_TRY(arrays.k, read_array<float>(file, "k", 4));
  NATSCOPE_TRY(arrays.v, read_array<float>(file, "v", 4));
  NATSCOPE_TRY(arrays.roles, read_roles(file, 3));
  NATSCOPE_TRY(arrays.window, read_window(file));
  const auto& q = arrays.q.shape;
  const auto& k = arrays.k.shape;
  if (arrays.v.shape != k) {
    return fail(ErrorCode::bad_arrays, "v has shape " + shape_text(arrays.v.shape) + ", k has " + shape_text(k));
  }
  if (q[0] != k[0] || q[2] != k[2] || q[3] != k[3]) {
    return fail(ErrorCode::bad_arrays,
                "q has shape " + shape_text(q) + ", k has " + shape_text(k) + ": batch, T and head_dim must be equal");
  }
  if (k[1] < 1 || q[1] < 1 || q[1] % k[1] != 0) {
    return fail(ErrorCode::bad_arrays,
                std::to_string(q[1]) + " heads cannot share " + std::to_string(k[1]) + " KV heads");
  }
  if (q[3] < 1) return fail(ErrorCode::bad_arrays, "head_dim is 0");
  if (arrays.roles.shape != std::vector{k[0], k[1], k[2]}) {
    return fail(ErrorCode::bad_arrays, "roles has shape " + shape_text(arrays.roles.shape) + ", it needs " +
                                           shape_text(std::vector{k[0], k[1], k[2]}));
  }
  return arrays;
}

bool are_numbers(const Array<float>& array) {
  return std::ranges::all_of(array.values, [](float value) { return std::isfinite(value); });
}

/// The CPU's tiles multiply what is masked by 0, and 0 times NaN is none: arrays that have such are for ref, which
/// leaves masked pairs out.
KernelSettings settings_for(const AttentionArrays& arrays, KernelSettings settings) {
  if (settings.backend != kernels::Backend::cpu ||
      (are_numbers(arrays.q) && are_numbers(arrays.k) && are_numbers(arrays.v)))
    return settings;
  print_note("the arrays hold what is no number: computed by ref, which leaves masked pairs out");
  settings.backend = kernels::Backend::ref;
  return settings;
}

/// attention_forward of the arrays into out and lse.
Expected<void> forward(const AttentionArrays& arrays, const KernelSettings& settings, std::vector<float>& out,
                       std::vector<float>& lse) {
  out = unwritten(arrays.q.values.size());
  lse = unwritten(out.size() / static_cast<std::size_t>(arrays.q.shape[3]));
  const auto q = arrays.q_sizes();
  if (settings.backend == kernels::Backend::cuda) {
    NATSCOPE_TRY(const auto device, DeviceAttention::open());
    return device.forward(arrays.inputs(settings.dtype), kernels::View<float, 4>::packed(out.data(), q),
                          kernels::View<float, 3>::packed(lse.data(), {q[0], q[1], q[2]}));
  }
  if (arrays.is_empty()) return {};
  return as_expected(kernels::attention_train_forward(settings.backend, arrays.inputs(settings.dtype),
                                                      kernels::View<float, 4>::packed(out.data(), q),
                                                      kernels::View<float, 3>::packed(lse.data(), {q[0], q[1], q[2]})));
}

void set_threads(const KernelSettings& settings) {
  if (settings.threads > 0) kernels::set_threads(settings.threads);
}

Expected<void> run_visibility(const SafetensorsFile& in, const KernelSettings& settings,
                              const std::filesystem::path& path) {
  // The rule is one for all backends (kernels/token_roles.h), but what is not there did not compute it.
  if (settings.backend == kernels::Backend::cuda) NATSCOPE_CHECK(DeviceAttention::open());
  NATSCOPE_TRY(const auto roles, read_roles(in, 2));
  NATSCOPE_TRY(const std::int64_t window, read_window(in));
  const std::int64_t heads = roles.shape[0];
  const std::int64_t tokens = roles.shape[1];
  // The mask is quadratic in what the file holds: the only output that can be refused for its size.
  constexpr std::int64_t max_mask_bytes = 16LL << 30U;
  if (tokens > 0 && heads > max_mask_bytes / tokens / tokens) {
    return fail(ErrorCode::bad_arrays, "the mask of " + std::to_string(heads) + " heads and " + std::to_string(tokens) +
                                           " tokens is over 16 GiB");
  }
  // Of an array without numbers one size is 0, and the other can be anything.
  const bool is_empty = roles.values.empty();
  std::vector<std::uint8_t> seen(is_empty ? 0 : static_cast<std::size_t>(heads * tokens * tokens));
  std::vector<std::int64_t> next(roles.values.size());
  std::vector<std::int32_t> head_next(is_empty ? 0 : static_cast<std::size_t>(tokens));
  for (std::int64_t head = 0; head < heads && !is_empty; ++head) {
    const std::span head_roles(roles.values.data() + head * tokens, static_cast<std::size_t>(tokens));
    NATSCOPE_CHECK(as_expected(kernels::next_globals(head_roles, head_next)));
    for (std::int64_t n = 0; n < tokens; ++n) {
      const std::int32_t found = head_next[static_cast<std::size_t>(n)];
      next[static_cast<std::size_t>(head * tokens + n)] = found == no_next_global ? tokens : found;
    }
    NATSCOPE_CHECK(as_expected(kernels::visibility(
        head_roles, window,
        kernels::View<std::uint8_t, 2>::packed(seen.data() + head * tokens * tokens, {tokens, tokens}))));
  }
  const std::array outputs{to_write("visible", DType::u8, {heads, tokens, tokens}, seen),
                           to_write("next_global", DType::i64, {heads, tokens}, next)};
  return write_safetensors(path, outputs, {});
}

Expected<void> run_forward(const SafetensorsFile& in, const KernelSettings& asked, const std::filesystem::path& path) {
  set_threads(asked);
  NATSCOPE_TRY(const auto arrays, read_attention(in));
  const KernelSettings settings = settings_for(arrays, asked);
  std::vector<float> out;
  std::vector<float> lse;
  NATSCOPE_CHECK(forward(arrays, settings, out, lse));
  const std::array outputs{to_write("out", DType::f32, arrays.q.shape, out),
                           to_write("lse", DType::f32, arrays.lse_shape(), lse)};
  return write_safetensors(path, outputs, {});
}

Expected<void> run_backward(const SafetensorsFile& in, const KernelSettings& asked, const std::filesystem::path& path) {
  set_threads(asked);
  NATSCOPE_TRY(const auto arrays, read_attention(in));
  const KernelSettings settings = settings_for(arrays, asked);
  NATSCOPE_TRY(const auto d_out, read_array<float>(in, "d_out", 4));
  if (d_out.shape != arrays.q.shape) {
    return fail(ErrorCode::bad_arrays,
                "d_out has shape " + shape_text(d_out.shape) + ", q has " + shape_text(arrays.q.shape));
  }
  NATSCOPE_TRY(const double regulariser, read_regulariser(in));
  std::vector<float> out;
  std::vector<float> lse;
  NATSCOPE_CHECK(forward(arrays, settings, out, lse));

  const auto q = arrays.q_sizes();
  const auto k = arrays.k_sizes();
  auto dq = unwritten(arrays.q.values.size());
  auto dk = unwritten(arrays.k.values.size());
  auto dv = unwritten(arrays.k.values.size());
  auto d_roles = unwritten(arrays.roles.values.size() * role_count);
  const kernels::AttentionTrainInputs inputs = arrays.inputs(settings.dtype);
  const auto out_view = kernels::ConstView<float, 4>::packed(out.data(), q);
  const auto lse_view = kernels::ConstView<float, 3>::packed(lse.data(), {q[0], q[1], q[2]});
  const auto d_out_view = d_out.view<4>();
  const auto dq_view = kernels::View<float, 4>::packed(dq.data(), q);
  const auto dk_view = kernels::View<float, 4>::packed(dk.data(), k);
  const auto dv_view = kernels::View<float, 4>::packed(dv.data(), k);
  const auto d_roles_view = kernels::View<float, 4>::packed(d_roles.data(), {k[0], k[1], k[2], role_count});
  if (settings.backend == kernels::Backend::cuda) {
    NATSCOPE_TRY(const auto device, DeviceAttention::open());
    NATSCOPE_CHECK(
        device.backward(inputs, out_view, lse_view, d_out_view, regulariser, dq_view, dk_view, dv_view, d_roles_view));
  } else if (!arrays.is_empty()) {
    NATSCOPE_CHECK(
        as_expected(kernels::attention_train_backward(settings.backend, inputs, out_view, lse_view, d_out_view,
                                                      regulariser, dq_view, dk_view, dv_view, d_roles_view)));
  }
  const std::array outputs{to_write("dq", DType::f32, arrays.q.shape, dq),
                           to_write("dk", DType::f32, arrays.k.shape, dk),
                           to_write("dv", DType::f32, arrays.k.shape, dv),
                           to_write("d_roles", DType::f32, {k[0], k[1], k[2], role_count}, d_roles)};
  return write_safetensors(path, outputs, {});
}

constexpr std::array operations{
    KernelOperation{"visibility", "roles U8 [kv_heads, T]; window",
                    "visible U8 [kv_heads, T, T], next_global I64 [kv_heads, T] (T where there is none)",
                    run_visibility},
    KernelOperation{"attention_forward",
                    "q F32 [batch, heads, T, head_dim], k, v F32 [batch, kv_heads, T, head_dim], roles U8 [batch, "
                    "kv_heads, T]; window",
                    "out F32 as q, lse F32 [batch, heads, T]", run_forward},
    KernelOperation{"attention_backward",
                    "as attention_forward, and d_out F32 as q; window, sparse_regularized_value (0)",
                    "dq F32 as q, dk, dv F32 as k, d_roles F32 [batch, kv_heads, T, 3]", run_backward},
};

}  // namespace

std::span<const KernelOperation> kernel_operations() { return operations; }

const KernelOperation* find_kernel_operation(std::string_view name) {
  for (const KernelOperation& operation : operations) {
    if (name == operation.name) return &operation;
  }
  return nullptr;
}

}  // namespace natscope
