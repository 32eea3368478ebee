// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/model/config.h"
#include "core/protocol/field_reader.h"
#include "core/protocol/messages.h"

/// Every message as fields and back: one `write` and one `read` each, with the same names. Private to core/protocol.
/// `read` leaves what is wrong in the FieldReader.
namespace natscope::protocol {

/// Positions, counts of tokens and times of a sequence lie below this.
inline constexpr std::int64_t max_tokens = std::int64_t{1} << 30U;
/// W may be larger than any sequence: as parse_policy and RoleDecider take it.
inline constexpr std::int64_t max_window = std::numeric_limits<std::int32_t>::max();
inline constexpr std::int32_t max_layers = 4096;
inline constexpr std::int32_t max_heads = 65536;

/// Of a field `dtype`: what engines compute in, float32 or bfloat16.
[[nodiscard]] kernels::ElementType read_dtype(FieldReader& in);

void write(nlohmann::json& out, const HelloMessage& message);
void read(FieldReader& in, HelloMessage& message);
void write(nlohmann::json& out, const OpenMessage& message);
void read(FieldReader& in, OpenMessage& message);
void write(nlohmann::json& out, const AnalyseMessage& message);
void read(FieldReader& in, AnalyseMessage& message);
void write(nlohmann::json& out, const GenerateMessage& message);
void read(FieldReader& in, GenerateMessage& message);
void write(nlohmann::json& out, const StepMessage& message);
void read(FieldReader& in, StepMessage& message);
void write(nlohmann::json& out, const FollowUpMessage& message);
void read(FieldReader& in, FollowUpMessage& message);
void write(nlohmann::json& out, const StopMessage& message);
void read(FieldReader& in, StopMessage& message);
void write(nlohmann::json& out, const TileRequestMessage& message);
void read(FieldReader& in, TileRequestMessage& message);
void write(nlohmann::json& out, const WeightsRequestMessage& message);
void read(FieldReader& in, WeightsRequestMessage& message);
void write(nlohmann::json& out, const ChatTurnMessage& message);
void read(FieldReader& in, ChatTurnMessage& message);
void write(nlohmann::json& out, const ByeMessage& message);
void read(FieldReader& in, ByeMessage& message);
void write(nlohmann::json& out, const OpenedMessage& message);
void read(FieldReader& in, OpenedMessage& message);
void write(nlohmann::json& out, const IdentityMessage& message);
void read(FieldReader& in, IdentityMessage& message);
void write(nlohmann::json& out, const ProgressMessage& message);
void read(FieldReader& in, ProgressMessage& message);
void write(nlohmann::json& out, const StartedMessage& message);
void read(FieldReader& in, StartedMessage& message);
void write(nlohmann::json& out, const FramesMessage& message);
void read(FieldReader& in, FramesMessage& message);
void write(nlohmann::json& out, const ReadyMessage& message);
void read(FieldReader& in, ReadyMessage& message);
void write(nlohmann::json& out, const FinishedMessage& message);
void read(FieldReader& in, FinishedMessage& message);
void write(nlohmann::json& out, const TileMessage& message);
void read(FieldReader& in, TileMessage& message);
void write(nlohmann::json& out, const WeightsMessage& message);
void read(FieldReader& in, WeightsMessage& message);
void write(nlohmann::json& out, const ChatPromptMessage& message);
void read(FieldReader& in, ChatPromptMessage& message);
void write(nlohmann::json& out, const ErrorMessage& message);
void read(FieldReader& in, ErrorMessage& message);

/// Parts that several messages share.
void write_tile_key(nlohmann::json& out, const TileKey& key);
[[nodiscard]] TileKey read_tile_key(FieldReader& in);
void write_optional_int(nlohmann::json& out, const char* field, const std::optional<std::int64_t>& value);
[[nodiscard]] std::optional<std::int64_t> read_optional_int(FieldReader& in, const char* field, std::int64_t low,
                                                            std::int64_t high);
[[nodiscard]] std::vector<Role> read_roles(FieldReader& in, const char* field, std::size_t count);

/// One of the enumeration's names, which stand in its order.
template <class Enum>
[[nodiscard]] Enum read_enum(FieldReader& in, const char* field, std::span<const char* const> names) {
  const std::string text = in.text(field);
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (text == names[i]) return static_cast<Enum>(i);
  }
  if (in.ok()) in.fail_field(field, "is “" + printable(text, 40) + "”, which it cannot be");
  return static_cast<Enum>(0);
}

}  // namespace natscope::protocol
