// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/core/protocol/message_samples.h"

namespace natscope::test {

TokenFrame sample_frame(std::int32_t position, std::size_t heads, bool has_scores) {
  TokenFrame frame;
  frame.position = TokenPos(position);
  frame.token = 7 * position + 3;
  frame.text = position % 2 == 0 ? " the" : "é日";
  frame.generated = position > 2;
  for (std::size_t head = 0; head < heads; ++head) {
    frame.roles.push_back(static_cast<Role>((static_cast<std::size_t>(position) + head) % 3));
    frame.entries.push_back(position + static_cast<std::int32_t>(head));
    if (has_scores) frame.scores.insert(frame.scores.end(), {0.25F, -1.5F, 1e-20F});
  }
  frame.counts = {position + 1, 11, 4096, 1024, 2048, 0.25, 0.5};
  frame.probability = 0.125F;
  frame.candidates = {{5, 0.5F}, {9, 0.25F}};
  if (position == 1) frame.evicted = {{LayerId(0), KvHeadId(0), TokenPos(1)}};
  frame.step_ms = 12.5;
  return frame;
}

std::vector<Message> sample_messages() {
  ModelDescription model;
  model.path = "models/größe";
  model.adapter = "adapters/a";
  model.architecture = "LlamaForCausalLM";
  model.layers = 3;
  model.heads = 4;
  model.kv_heads = 2;
  model.head_dim = 64;
  model.hidden = 256;
  model.vocab = 4096;
  model.context = 512;
  model.nats = true;
  model.window = 16;
  model.global_bias = 0.1;
  model.asked_context = 8192;
  model.lambda = 3e-7;
  model.training_policy = "streaming:2,64";
  model.parameters = 5'500'000;
  model.weight_bytes = 11'000'000;
  model.kv_bytes_per_token = 6144;
  model.dtype = kernels::ElementType::bf16;
  model.tokenizer = "bpe";
  model.device = "cpu";
  model.threads = 2;
  model.sampling.greedy = true;
  model.chats = true;
  model.sampling.temperature = 0.7;
  model.sampling.top_k = 40;
  model.sampling.top_p = 0.9;
  model.sampling.min_p = 0.05;
  model.sampling.repetition_penalty = 1.1;
  const SamplingOptions sampling{true, 0.7, 40, 0.9, 0.05, 1.1, 0xffff'ffff'ffff'ffffULL};
  RolePlan plan;
  plan.policy = {.kind = Policy::Kind::streaming, .window = 32, .sinks = 4, .global_positions = {}};
  plan.window = 0;
  plan.roles = RoleArray{2, 1, 3, {Role::global, Role::local, Role::sliding, Role::sliding, Role::local, Role::global}};
  plan.forced = {{LayerId(1), KvHeadId(0), TokenPos(2), Role::local}};
  plan.as_before = RoleArray{2, 1, 1, {Role::sliding, Role::local}};
  const TileKey tile{LayerId(2), HeadId(3), 4, 5, 6};
  const WeightsRequestMessage rectangle{LayerId(1), HeadId(2), TokenPos(3), TokenPos(4), 1, 2};
  return {
      HelloMessage{protocol_version, "natscope 0.1.0"},
      OpenMessage{"models/größe", "adapters/a", Device::cpu, kernels::ElementType::bf16, 3, 12345, 8192},
      AnalyseMessage{std::string("Alice was — beginning"), plan, 64, 3},
      AnalyseMessage{std::vector<std::int32_t>{1, 2, 3}, {}, 512, 8},
      AnalyseMessage{std::string("a long text"), {}, 512, 8, true},
      GenerateMessage{17, sampling, {"\n\n", "END"}, 5},
      StepMessage{42, sampling, 6},
      FollowUpMessage{"Und du?\n", true, 64, 3},
      StopMessage{77},
      TileRequestMessage{tile},
      TileRequestMessage{tile, 0xffff'ffff'ffff'fff0ULL, {3, 0x7fff'ffff, -1}},
      rectangle,
      ChatTurnMessage{"Wer bist du?\n"},
      ByeMessage{},
      OpenedMessage{model},
      IdentityMessage{std::string(64, 'a')},
      ProgressMessage{ProgressPhase::prefill, 3, 9, 0.5},
      StartedMessage{{3, 2, 64, kernels::ElementType::bf16}, true, 16, "model", 21},
      StartedMessage{{3, 2, 64, kernels::ElementType::bf16}, true, 16, "model", 21, 77},
      FramesMessage{{sample_frame(3, 6, true), sample_frame(4, 6, true)}, {{5, "a"}, {9, "<0x0A>"}}},
      ReadyMessage{21, 0.75},
      ReadyMessage{3, 0.5, "a note"},
      FinishedMessage{StopReason::stop_string, 17, "text", 1.25},
      TileMessage{{tile, 512, 2, 2, {0.5F, 0, 0.25F, 1}, {0.25F, 0, 0.125F, 1}, {1, 0, 0.5F, 1}}},
      TileMessage{{tile, 512, 1, 1, {0.5F}, {0.25F}, {1}, AttentionSummary{512, 2.5, 0.25, 0.125, 33.5}}},
      TileMessage{{tile, 512, 1, 1, {0.5F}, {0.25F}, {1}, AttentionSummary{512, 2.5, 0.25, 0.125, 33.5, 500, 0.75}, 7}},
      WeightsMessage{rectangle, {0.25F, 0.75F}, {1, 1}},
      ChatPromptMessage{"[user] Wer bist du?\n[answer]", "a note"},
      ChatPromptMessage{"[user]", {}},
      ErrorMessage{make_error(ErrorCode::bad_head, "there is no head 9", "heads are 0 … 3"), true}};
}

}  // namespace natscope::test
