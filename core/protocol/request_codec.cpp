// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/protocol/codec.h"

/// What a window asks for.
namespace natscope::protocol {
namespace {

constexpr std::int32_t max_candidates = 1000;
constexpr std::size_t max_stop_strings = 1000;

void write_sampling(nlohmann::json& out, const SamplingOptions& sampling) {
  out["sampling"] = {{"greedy", sampling.greedy}, {"temperature", sampling.temperature},
                     {"top_k", sampling.top_k},   {"top_p", sampling.top_p},
                     {"min_p", sampling.min_p},   {"repetition_penalty", sampling.repetition_penalty},
                     {"seed", sampling.seed}};
}

/// Types only: whether a temperature makes sense is the sampler's to say, with its own error.
SamplingOptions read_sampling(FieldReader& in) {
  const nlohmann::json* map = in.find("sampling");
  if (map == nullptr) return {};
  FieldReader part(*map, in.type() + ".sampling");
  SamplingOptions sampling;
  sampling.greedy = part.boolean("greedy");
  sampling.temperature = part.number("temperature");
  sampling.top_k =
      part.int32("top_k", std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max());
  sampling.top_p = part.number("top_p");
  sampling.min_p = part.number("min_p");
  sampling.repetition_penalty = part.number("repetition_penalty");
  sampling.seed = part.uint64("seed");
  if (!part.ok()) in.fail_field("sampling", "is wrong: " + part.result().error().message);
  return sampling;
}

void write_roles(nlohmann::json& out, const char* key, const std::optional<RoleArray>& roles) {
  if (!roles) return;
  out[key] = {{"layers", roles->layers},
              {"kv_heads", roles->kv_heads},
              {"length", roles->length},
              {"values", bytes_of(roles->roles)}};
}

std::optional<RoleArray> read_role_array(FieldReader& in, const char* key) {
  const nlohmann::json* const roles = in.has(key) ? in.find(key) : nullptr;
  if (roles == nullptr) return {};
  FieldReader part(*roles, in.type() + "." + key);
  RoleArray array;
  array.layers = part.int32("layers", 1, max_layers);
  array.kv_heads = part.int32("kv_heads", 1, max_heads);
  array.length = part.int64("length", 0, max_tokens);
  // 2^12 · 2^16 · 2^30 < 2^63
  array.roles =
      read_roles(part, "values", static_cast<std::size_t>(array.layers * std::int64_t{array.kv_heads} * array.length));
  if (part.ok()) return array;
  in.fail_field(key, "is wrong: " + part.result().error().message);
  return {};
}

void write_plan(nlohmann::json& out, const RolePlan& plan) {
  out["policy"] = to_string(plan.policy);
  write_optional_int(out, "window", plan.window);
  write_roles(out, "roles", plan.roles);
  write_roles(out, "as_before", plan.as_before);
  // Four numbers a role: layer, KV head, position, role.
  std::vector<std::int32_t> forced;
  forced.reserve(4 * plan.forced.size());
  for (const ForcedRole& role : plan.forced) {
    forced.insert(forced.end(),
                  {role.layer.value, role.kv_head.value, role.position.value, static_cast<std::int32_t>(role.role)});
  }
  out["forced"] = bytes_of(forced);
}

RolePlan read_plan(FieldReader& in) {
  RolePlan plan;
  const std::string policy_text = in.text("policy");
  if (in.ok()) {
    auto policy = parse_policy(policy_text);
    if (policy)
      plan.policy = *std::move(policy);
    else
      in.fail_field("policy", "is wrong: " + policy.error().message);
  }
  plan.window = read_optional_int(in, "window", 0, max_window);
  plan.roles = read_role_array(in, "roles");
  plan.as_before = read_role_array(in, "as_before");
  const auto forced = in.array<std::int32_t>("forced");
  if (forced.size() % 4 != 0) in.fail_field("forced", "does not hold four numbers a role");
  for (std::size_t i = 0; i + 3 < forced.size() && in.ok(); i += 4) {
    if (forced[i] < 0 || forced[i + 1] < 0 || forced[i + 2] < 0 || forced[i + 3] < 0 || forced[i + 3] >= role_count) {
      in.fail_field("forced", "names an impossible layer, head, position or role");
    }
    plan.forced.push_back(
        {LayerId(forced[i]), KvHeadId(forced[i + 1]), TokenPos(forced[i + 2]), static_cast<Role>(forced[i + 3])});
  }
  return plan;
}

}  // namespace

void write(nlohmann::json& out, const HelloMessage& message) {
  out["protocol"] = message.protocol;
  out["program"] = message.program;
}

void read(FieldReader& in, HelloMessage& message) {
  message.protocol = in.int32("protocol", 0, std::numeric_limits<std::int32_t>::max());
  message.program = in.text("program");
}

void write(nlohmann::json& out, const OpenMessage& message) {
  out["model"] = message.model;
  if (message.adapter) out["adapter"] = *message.adapter;
  out["device"] = device_names[static_cast<std::size_t>(message.device)];
  if (message.dtype) out["dtype"] = dtype_name(*message.dtype);
  out["threads"] = message.threads;
  out["trace_store_bytes"] = message.trace_store_bytes;
  if (message.context > 0) out["context"] = message.context;
}

void read(FieldReader& in, OpenMessage& message) {
  message.model = in.text("model");
  if (in.has("adapter")) message.adapter = in.text("adapter");
  message.device = read_enum<Device>(in, "device", device_names);
  if (in.has("dtype")) message.dtype = read_dtype(in);
  message.threads = in.int32("threads", 0, 4096);
  message.trace_store_bytes = in.int64("trace_store_bytes", 0, std::numeric_limits<std::int64_t>::max());
  if (in.has("context")) message.context = in.int32("context", 1, max_model_context);
}

void write(nlohmann::json& out, const AnalyseMessage& message) {
  if (const auto* text = std::get_if<std::string>(&message.prompt))
    out["text"] = *text;
  else
    out["tokens"] = bytes_of(std::get<std::vector<std::int32_t>>(message.prompt));
  write_plan(out, message.plan);
  out["chunk"] = message.chunk;
  out["candidates"] = message.candidates;
  if (message.fit) out["fit"] = true;
}

void read(FieldReader& in, AnalyseMessage& message) {
  if (in.has("text") == in.has("tokens")) in.fail_field("text", "or “tokens” must be there, one of them");
  if (in.has("text"))
    message.prompt = in.text("text");
  else
    message.prompt = in.array<std::int32_t>("tokens");
  message.plan = read_plan(in);
  message.chunk = in.int64("chunk", 1, max_tokens);
  message.candidates = in.int32("candidates", 0, max_candidates);
  message.fit = in.has("fit") && in.boolean("fit");
}

void write(nlohmann::json& out, const GenerateMessage& message) {
  out["max_new_tokens"] = message.max_new_tokens;
  write_sampling(out, message.sampling);
  out["stop_strings"] = message.stop_strings;
  out["candidates"] = message.candidates;
}

void read(FieldReader& in, GenerateMessage& message) {
  message.max_new_tokens = in.int64("max_new_tokens", 0, max_tokens);
  message.sampling = read_sampling(in);
  message.stop_strings = in.texts("stop_strings", max_stop_strings);
  message.candidates = in.int32("candidates", 0, max_candidates);
}

void write(nlohmann::json& out, const StepMessage& message) {
  if (message.token) out["token"] = *message.token;
  write_sampling(out, message.sampling);
  out["candidates"] = message.candidates;
}

void read(FieldReader& in, StepMessage& message) {
  if (in.has("token")) message.token = in.int32("token", 0, std::numeric_limits<std::int32_t>::max());
  message.sampling = read_sampling(in);
  message.candidates = in.int32("candidates", 0, max_candidates);
}

void write(nlohmann::json& out, const FollowUpMessage& message) {
  out["text"] = message.text;
  out["chat"] = message.chat;
  out["chunk"] = message.chunk;
  out["candidates"] = message.candidates;
}

void read(FieldReader& in, FollowUpMessage& message) {
  message.text = in.text("text");
  message.chat = in.boolean("chat");
  message.chunk = in.int64("chunk", 1, max_tokens);
  message.candidates = in.int32("candidates", 0, max_candidates);
}

void write(nlohmann::json& out, const StopMessage& message) { out["request"] = message.request; }
void read(FieldReader& in, StopMessage& message) {
  if (in.has("request")) message.request = in.uint64("request");
}
void write(nlohmann::json& out, const ChatTurnMessage& message) { out["user"] = message.user; }
void read(FieldReader& in, ChatTurnMessage& message) { message.user = in.text("user"); }
void write(nlohmann::json&, const ByeMessage&) {}
void read(FieldReader&, ByeMessage&) {}

void write(nlohmann::json& out, const TileRequestMessage& message) {
  write_tile_key(out, message.tile);
  if (message.compared_run == 0) return;
  out["compared_run"] = message.compared_run;
  out["other_last_query"] = bytes_of(message.other_last_query);
}

void read(FieldReader& in, TileRequestMessage& message) {
  message.tile = read_tile_key(in);
  if (!in.has("compared_run")) return;
  message.compared_run = in.uint64("compared_run");
  message.other_last_query = in.array<std::int32_t>("other_last_query");
  if (std::ssize(message.other_last_query) > max_tokens)
    in.fail_field("other_last_query", "has more tokens than a text may have");
}

void write(nlohmann::json& out, const WeightsRequestMessage& message) {
  out["layer"] = message.layer.value;
  out["head"] = message.head.value;
  out["first_query"] = message.first_query.value;
  out["first_key"] = message.first_key.value;
  out["queries"] = message.queries;
  out["keys"] = message.keys;
}

void read(FieldReader& in, WeightsRequestMessage& message) {
  message.layer = LayerId(in.int32("layer", 0, max_layers));
  message.head = HeadId(in.int32("head", 0, max_heads));
  message.first_query = TokenPos(in.int32("first_query", 0, max_tokens));
  message.first_key = TokenPos(in.int32("first_key", 0, max_tokens));
  message.queries = in.int32("queries", 1, max_tokens);
  message.keys = in.int32("keys", 1, max_tokens);
  if (std::int64_t{message.queries} * message.keys > max_rectangle_cells) {
    in.fail_field("keys", "asks for more than " + std::to_string(max_rectangle_cells) + " cells at once");
  }
}

}  // namespace natscope::protocol
