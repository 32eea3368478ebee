// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/device.h"
#include "core/base/expected.h"
#include "core/cache/role_plan.h"
#include "core/explore/attention_tile.h"
#include "core/explore/sequence_record.h"
#include "core/protocol/model_description.h"
#include "core/sampling/sampler.h"
#include "core/sampling/stop_reason.h"

/// What a window and an engine say to each other. Both ends use these structs and nothing else.
///
/// A message is one CBOR map with `type`, `id`, `generation` and the fields of its struct, by their names; roles,
/// scores, entries and maps are byte strings, little-endian. `id` is chosen by who asks and repeated in every answer.
/// `generation` counts the sequences a window asked for: an answer of an older one is out of date and dropped.
///
///   window → engine    hello  open  analyse  generate  step  follow_up  stop  tile_request  weights_request  chat_turn
///                      bye
///   engine → window    hello  opened  identity  progress  started  frames  ready  finished  tile  weights  chat_prompt
///                      error  bye
///
/// Fields that a receiver does not know are ignored, types that it does not know are an error. A change that an older
/// end would misread raises protocol_version.
namespace natscope {

inline constexpr std::int32_t protocol_version = 4;

/// The first message of both ends.
struct HelloMessage {
  std::int32_t protocol = protocol_version;
  std::string program;  ///< "natscope 0.1.0"
};

struct OpenMessage {
  std::string model;
  std::optional<std::string> adapter;
  Device device = Device::automatic;
  std::optional<kernels::ElementType> dtype;
  std::int32_t threads = 0;
  std::int64_t trace_store_bytes = 512LL << 20U;
  std::int32_t context = 0;  ///< tokens; 0: the model's
};

/// Begins a new sequence: text, or tokens taken as they are. Answers: started, progress …, frames …, ready.
struct AnalyseMessage {
  std::variant<std::string, std::vector<std::int32_t>> prompt;
  RolePlan plan;
  std::int64_t chunk = 512;
  std::int32_t candidates = 8;
  bool fit = false;  ///< of a prompt that is longer than the context the beginning is taken; else it is refused
};

/// Goes on from the last token. Answers: frames …, finished. Sampling with the same seed draws what one long generation
/// would have drawn at that position.
struct GenerateMessage {
  std::int64_t max_new_tokens = 200;
  SamplingOptions sampling;
  std::vector<std::string> stop_strings;
  std::int32_t candidates = 8;
};

/// One token: sampled, or the given one. Answers: frames, finished.
struct StepMessage {
  std::optional<std::int32_t> token;
  SamplingOptions sampling;
  std::int32_t candidates = 8;
};

/// Goes on behind the last token with a text that nobody samples. Answers: progress …, frames …, ready.
struct FollowUpMessage {
  std::string text;
  bool chat = false;  ///< as the next turn of a conversation, with the marks of the model's chat template
  std::int64_t chunk = 512;
  std::int32_t candidates = 8;
};

/// Stops a request or a question (a tile, weights), or all requests that run and wait. What is stopped answers for
/// itself: finished or error, interrupted.
struct StopMessage {
  std::uint64_t request = 0;  ///< its id; 0: all
};

/// Of a tile that covers a whole map the answer says what its head attends to, and with another run of the same tokens
/// how much of that it had dropped.
struct TileRequestMessage {
  TileKey tile;
  std::uint64_t compared_run = 0;  ///< what the window calls that run, repeated in the answer; 0: none
  /// Of the tokens that both runs have: until when that run's KV head held each, as SequenceRecord::last_query.
  std::vector<std::int32_t> other_last_query{};
};

/// A rectangle of one head's weights: one query's row, one key's column ("who attends to it"), or more.
struct WeightsRequestMessage {
  LayerId layer;
  HeadId head;
  TokenPos first_query;
  TokenPos first_key;
  std::int32_t queries = 0;  ///< rows, >= 1
  std::int32_t keys = 0;     ///< columns, >= 1; queries * keys <= max_rectangle_cells
};
inline constexpr std::int64_t max_rectangle_cells = 4LL << 20U;

/// Asks for the prompt that the open model is given for a turn of a conversation. Answers: chat_prompt.
struct ChatTurnMessage {
  std::string user;
};

struct ByeMessage {};

struct OpenedMessage {
  ModelDescription model;
};

/// The weights' checksum, some time after `opened`.
struct IdentityMessage {
  std::string sha256;
};

/// `replay`: of a question about a map, for which the text is processed once more.
enum class ProgressPhase : std::uint8_t { opening, prefill, replay };

struct ProgressMessage {
  ProgressPhase phase = ProgressPhase::prefill;
  std::int64_t done = 0;  ///< tokens
  std::int64_t total = 0;
  double seconds = 0;  ///< since the phase began
};

/// A sequence begins: what a SequenceRecord is made of.
struct StartedMessage {
  CacheGeometry geometry;
  bool has_scores = false;
  std::optional<std::int64_t> window;  ///< in force
  std::string policy;                  ///< as parse_policy takes it
  std::int64_t prompt_tokens = 0;
  std::optional<std::int64_t> prompt_bytes{};  ///< of a text that was to fit: how many of its first bytes were taken
};

/// Consecutive frames, as many as had gathered. `texts`: how tokens read that are named for the first time, id and
/// text.
struct FramesMessage {
  std::vector<TokenFrame> frames;
  std::vector<std::pair<std::int32_t, std::string>> texts;
};

/// The prompt, or a follow-up, was processed.
struct ReadyMessage {
  std::int64_t tokens = 0;  ///< of it
  double prefill_s = 0;
  std::string note{};  ///< what should be known about it; empty: nothing
};

struct FinishedMessage {
  StopReason reason = StopReason::max_new_tokens;
  std::int64_t generated = 0;  ///< tokens of this request
  std::string text;            ///< of this request, without an end token
  double decode_s = 0;
};

struct TileMessage {
  AttentionTile tile;
};

struct WeightsMessage {
  WeightsRequestMessage request;
  std::vector<float> weights;         ///< [queries, keys]; masked cells exactly 0
  std::vector<std::uint8_t> visible;  ///< [queries, keys]
};

struct ChatPromptMessage {
  std::string prompt;
  std::string note;  ///< what should be known about it; empty: nothing
};

struct ErrorMessage {
  Error error;
  /// Of a request to open or analyse: the previous model and sequence still stand in the engine, and can go on.
  bool stands = false;
};

using Message =
    std::variant<HelloMessage, OpenMessage, AnalyseMessage, GenerateMessage, StepMessage, FollowUpMessage, StopMessage,
                 TileRequestMessage, WeightsRequestMessage, ChatTurnMessage, ByeMessage, OpenedMessage, IdentityMessage,
                 ProgressMessage, StartedMessage, FramesMessage, ReadyMessage, FinishedMessage, TileMessage,
                 WeightsMessage, ChatPromptMessage, ErrorMessage>;

struct Envelope {
  std::uint64_t id = 0;
  std::uint64_t generation = 0;
  Message message;
};

/// "open", "tile_request", … as `type` says it.
[[nodiscard]] const char* type_name(const Message& message);

/// The payload of a frame. Errors: protocol_error (a message that is too large for one frame).
[[nodiscard]] Expected<std::vector<std::uint8_t>> encode(const Envelope& envelope);

/// A payload read, with every field checked: types, ranges, array sizes against each other, UTF-8. What it cannot
/// know is checked by who uses it (a frame's size against the geometry: SequenceRecord::append).
/// Errors: protocol_error, naming the type and the field.
[[nodiscard]] Expected<Envelope> decode(std::span<const std::uint8_t> payload);

}  // namespace natscope
