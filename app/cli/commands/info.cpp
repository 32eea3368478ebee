// SPDX-License-Identifier: GPL-3.0-or-later
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/flags/model_flags.h"
#include "app/cli/terminal/terminal.h"
#include "core/base/grouped_digits.h"
#include "core/chat/chat_template.h"
#include "core/engine/training_policy.h"
#include "core/io/model_folder.h"
#include "core/protocol/model_description.h"

namespace natscope {
namespace {

struct Options {
  ModelFlags model;
};

nlohmann::json describe(const ModelFolder& folder, kernels::ElementType dtype) {
  const ModelConfig& config = folder.config();
  const CacheGeometry geometry{config.layers, config.kv_heads, config.head_dim, dtype};
  nlohmann::json info;
  info["architecture"] = config.architecture;
  info["layers"] = config.layers;
  info["heads"] = config.heads;
  info["kv_heads"] = config.kv_heads;
  info["head_dim"] = config.head_dim;
  info["hidden"] = config.hidden;
  info["vocab"] = config.vocab;
  info["context"] = config.context;
  info["longest_context"] = config.longest_context;
  info["nats"] = folder.has_score_layers();
  info["window"] = config.nats ? nlohmann::json(config.nats->window) : nlohmann::json();
  info["global_bias"] = config.nats ? nlohmann::json(config.nats->global_bias) : nlohmann::json();
  info["sparse_regularized_value"] =
      config.nats ? nlohmann::json(config.nats->sparse_regularized_value) : nlohmann::json();
  info["parameters"] = folder.weights().parameter_count();
  info["weight_bytes"] = folder.weight_bytes();
  info["weight_dtype"] = folder.weight_dtype();
  info["kv_bytes_per_token"] = geometry.entry_bytes() * config.layers * config.kv_heads;
  info["dtype"] = dtype_name(dtype);
  info["tokenizer"] = folder.tokenizer().format() + "-" + folder.tokenizer().model_type();
  info["chat_template"] = has_chat_template(folder.path());
  info["adapter"] = folder.adapter_path() ? nlohmann::json(folder.adapter_path()->string()) : nlohmann::json();
  const auto policy = training_policy(folder);
  info["training_policy"] = policy ? nlohmann::json(*policy) : nlohmann::json();
  return info;
}

std::string as_text(const nlohmann::json& info, const std::string& path) {
  std::string text;
  const auto line = [&text](const std::string& label, const std::string& value) {
    text += label + std::string(label.size() < 18 ? 18 - label.size() : 1, ' ') + value + "\n";
  };
  const auto number = [&info](const char* key) { return grouped_digits(info.at(key).get<std::int64_t>()); };
  line("model", printable(path));
  line("architecture", printable(info.at("architecture").get<std::string>()));
  line("parameters", number("parameters"));
  line("weights", readable_bytes(info.at("weight_bytes").get<std::int64_t>()) + " on disk, mostly " +
                      info.at("weight_dtype").get<std::string>());
  line("layers", number("layers"));
  line("heads", number("heads") + " query, " + number("kv_heads") + " key/value, head dimension " + number("head_dim"));
  line("hidden size", number("hidden"));
  line("vocabulary", number("vocab") + " (" + info.at("tokenizer").get<std::string>() + ")");
  const bool has_longer = info.at("longest_context") != info.at("context");
  line("context", number("context") + " tokens" +
                      (has_longer ? ", with --context up to " + number("longest_context") : std::string()));
  if (info.at("chat_template").get<bool>()) line("chat template", "yes: generate --chat gives a prompt its marks");
  line("KV cache", readable_bytes(info.at("kv_bytes_per_token").get<std::int64_t>()) +
                       " a token with full attention in " + info.at("dtype").get<std::string>());
  if (info.at("nats").get<bool>()) {
    const nlohmann::json& lambda = info.at("sparse_regularized_value");
    line("learned roles", "yes, window " + number("window") + ", global bias " + info.at("global_bias").dump() +
                              (lambda == 0 ? std::string() : ", trained with λ " + lambda.dump()));
  } else if (!info.at("training_policy").is_null()) {
    const auto policy = info.at("training_policy").get<std::string>();
    line("learned roles", "no: trained under the fixed mask " + policy + "; --policy " + policy + " runs it so");
  } else {
    line("learned roles", "no: an ordinary full-attention model, every token is Global");
  }
  if (!info.at("adapter").is_null()) line("adapter", printable(info.at("adapter").get<std::string>()));
  return text;
}

Expected<void> run(const Options& options, CommandContext& context) {
  options.model.remark_other_base();
  NATSCOPE_TRY(const auto folder,
               ModelFolder::open(options.model.model_path(), options.model.adapter_path(), options.model.context));
  const EngineOptions engine = options.model.engine_options(0);
  const auto info = describe(folder, engine.dtype.value_or(engine.device == Device::cuda ? kernels::ElementType::bf16
                                                                                         : kernels::ElementType::f32));
  return context.json ? print_json(info) : print_text(as_text(info, options.model.model_path().string()));
}

}  // namespace

void add_info_command(CLI::App& root, Invocation& invocation) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(root, "info", "Describe a model folder");
  options->model.add_to(*command);
  on_run(*command, invocation, [options](CommandContext& context) { return run(*options, context); });
}

}  // namespace natscope
