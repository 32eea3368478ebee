// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/protocol/messages.h"

#include <array>
#include <new>

#include "core/protocol/codec.h"
#include "core/protocol/framing.h"

namespace natscope {
namespace {

/// `type`, in the order of the variant's alternatives.
constexpr std::array type_names{"hello",    "open",         "analyse",         "generate",  "step",  "follow_up",
                                "stop",     "tile_request", "weights_request", "chat_turn", "bye",   "opened",
                                "identity", "progress",     "started",         "frames",    "ready", "finished",
                                "tile",     "weights",      "chat_prompt",     "error"};
static_assert(type_names.size() == std::variant_size_v<Message>);

template <std::size_t index = 0>
Message message_of(std::size_t wanted) {
  if constexpr (index + 1 < std::variant_size_v<Message>) {
    if (index != wanted) return message_of<index + 1>(wanted);
  }
  return Message(std::in_place_index<index>);
}

Expected<Envelope> read_envelope(const nlohmann::json& map) {
  protocol::FieldReader head(map, "message");
  const std::string type = head.text("type");
  Envelope envelope;
  envelope.id = head.uint64("id");
  envelope.generation = head.uint64("generation");
  NATSCOPE_CHECK(head.result());
  for (std::size_t index = 0; index < type_names.size(); ++index) {
    if (type != type_names[index]) continue;
    envelope.message = message_of(index);
    protocol::FieldReader in(map, type);
    std::visit([&in](auto& message) { protocol::read(in, message); }, envelope.message);
    NATSCOPE_CHECK(in.result());
    return envelope;
  }
  return fail(ErrorCode::protocol_error, "unknown message type “" + printable(type, 40) + "”");
}

}  // namespace

const char* type_name(const Message& message) { return type_names[message.index()]; }

Expected<std::vector<std::uint8_t>> encode(const Envelope& envelope) {
  nlohmann::json map = {
      {"type", type_name(envelope.message)}, {"id", envelope.id}, {"generation", envelope.generation}};
  std::visit([&map](const auto& message) { protocol::write(map, message); }, envelope.message);
  std::vector<std::uint8_t> payload = nlohmann::json::to_cbor(map);
  if (payload.size() > max_frame_bytes) {
    return fail(ErrorCode::protocol_error, std::string("a “") + type_name(envelope.message) + "” message of " +
                                               std::to_string(payload.size()) + " bytes is longer than a frame may be");
  }
  // What the other end would refuse is not sent: a text that is not UTF-8, too many values.
  NATSCOPE_CHECK(check_cbor(payload));
  return payload;
}

Expected<Envelope> decode(std::span<const std::uint8_t> payload) {
  NATSCOPE_CHECK(check_cbor(payload));
  try {
    const nlohmann::json map = nlohmann::json::from_cbor(payload.begin(), payload.end(), true, false);
    if (map.is_discarded()) return fail(ErrorCode::protocol_error, "broken CBOR");
    if (!map.is_object()) return fail(ErrorCode::protocol_error, "a message that is no map");
    return read_envelope(map);
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::out_of_memory, "no memory for a message of " + std::to_string(payload.size()) + " bytes");
  } catch (const nlohmann::json::exception& exception) {
    return fail(ErrorCode::protocol_error, std::string("broken CBOR: ") + exception.what());
  }
}

}  // namespace natscope
