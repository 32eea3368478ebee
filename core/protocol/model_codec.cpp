// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/protocol/codec.h"

/// The model's description, to and from a message.
namespace natscope {

namespace protocol {

kernels::ElementType read_dtype(FieldReader& in) {
  const auto dtype = dtype_of_name(in.text("dtype"));
  if (dtype && *dtype != kernels::ElementType::f16) return *dtype;
  in.fail_field("dtype", "is neither float32 nor bfloat16");
  return {};
}

void write(nlohmann::json& out, const OpenedMessage& message) {
  const ModelDescription& model = message.model;
  out["path"] = model.path;
  out["adapter"] = model.adapter;
  out["architecture"] = model.architecture;
  out["layers"] = model.layers;
  out["heads"] = model.heads;
  out["kv_heads"] = model.kv_heads;
  out["head_dim"] = model.head_dim;
  out["hidden"] = model.hidden;
  out["vocab"] = model.vocab;
  out["context"] = model.context;
  if (model.asked_context) out["asked_context"] = *model.asked_context;
  out["nats"] = model.nats;
  write_optional_int(out, "window", model.window);
  if (model.global_bias) out["global_bias"] = *model.global_bias;
  if (model.lambda) out["sparse_regularized_value"] = *model.lambda;
  if (!model.training_policy.empty()) out["training_policy"] = model.training_policy;
  out["parameters"] = model.parameters;
  out["weight_bytes"] = model.weight_bytes;
  out["kv_bytes_per_token"] = model.kv_bytes_per_token;
  out["dtype"] = dtype_name(model.dtype);
  out["tokenizer"] = model.tokenizer;
  out["chats"] = model.chats;
  out["device"] = model.device;
  out["threads"] = model.threads;
  out["greedy"] = model.sampling.greedy;
  out["temperature"] = model.sampling.temperature;
  out["top_k"] = model.sampling.top_k;
  out["top_p"] = model.sampling.top_p;
  out["min_p"] = model.sampling.min_p;
  out["repetition_penalty"] = model.sampling.repetition_penalty;
  out["sha256"] = model.sha256;
}

void read(FieldReader& in, OpenedMessage& message) {
  constexpr std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  constexpr std::int32_t large = 1 << 24;
  ModelDescription& model = message.model;
  model.path = in.text("path");
  model.adapter = in.text("adapter");
  model.architecture = in.text("architecture");
  model.layers = in.int32("layers", 1, max_layers);
  model.heads = in.int32("heads", 1, max_heads);
  model.kv_heads = in.int32("kv_heads", 1, max_heads);
  model.head_dim = in.int32("head_dim", 1, 65536);
  model.hidden = in.int32("hidden", 1, large);
  model.vocab = in.int32("vocab", 1, large);
  model.context = in.int64("context", 1, max_tokens);
  if (in.has("asked_context")) model.asked_context = in.int32("asked_context", 1, max_model_context);
  model.nats = in.boolean("nats");
  model.window = read_optional_int(in, "window", 0, max_window);
  if (in.has("global_bias")) model.global_bias = in.number("global_bias");
  if (in.has("sparse_regularized_value")) model.lambda = in.number("sparse_regularized_value");
  if (in.has("training_policy")) model.training_policy = in.text("training_policy");
  model.parameters = in.int64("parameters", 0, huge);
  model.weight_bytes = in.int64("weight_bytes", 0, huge);
  model.kv_bytes_per_token = in.int64("kv_bytes_per_token", 0, huge);
  model.dtype = read_dtype(in);
  model.tokenizer = in.text("tokenizer");
  if (in.has("chats")) model.chats = in.boolean("chats");
  model.device = in.text("device");
  model.threads = in.int32("threads", 0, 65536);
  model.sampling.greedy = in.boolean("greedy");
  model.sampling.temperature = in.number("temperature");
  model.sampling.top_k = in.int32("top_k", 0, std::numeric_limits<std::int32_t>::max());
  model.sampling.top_p = in.number("top_p");
  model.sampling.min_p = in.number("min_p");
  model.sampling.repetition_penalty = in.number("repetition_penalty");
  model.sha256 = in.text("sha256");
  if (in.ok() && model.heads % model.kv_heads != 0) in.fail_field("kv_heads", "does not divide the number of heads");
  if (std::int64_t{model.layers} * model.heads > max_head_pairs)
    in.fail_field("heads", "times the layers is more than any model has");
}

}  // namespace protocol
}  // namespace natscope
