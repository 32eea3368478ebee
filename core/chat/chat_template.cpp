// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/chat/chat_template.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/base/small_file.h"
#include "core/base/utf8.h"
#include "core/chat/jinja/evaluator.h"
#include "core/chat/jinja/parser.h"
#include "core/json/json_limits.h"

namespace natscope {

namespace fs = std::filesystem;

struct ChatTemplate::State {
  jinja::Block block;
  SpecialTokens special_tokens;
};

namespace {

constexpr std::uint64_t max_template_bytes = 1ULL << 20U;
constexpr const char* config_name = "tokenizer_config.json";
constexpr const char* template_name = "chat_template.jinja";

Unexpected in_template(Error error) {
  if (error.code == ErrorCode::unsupported_tokenizer) {
    return fail(error.code, "the chat template asks for what is not done here, " + error.message,
                "write the marks of a turn into the prompt by hand");
  }
  if (error.code == ErrorCode::bad_tokenizer) {
    return fail(error.code, "the chat template fails, " + error.message,
                "write the marks of a turn into the prompt by hand");
  }
  return Unexpected(std::move(error));
}

/// A special token is a text, or an object with its content.
std::optional<std::string> token_text(const nlohmann::json& token) {
  if (token.is_string()) return token.get<std::string>();
  const auto content = token.is_object() ? token.find("content") : token.end();
  if (!token.is_object() || content == token.end() || !content->is_string()) return {};
  return content->get<std::string>();
}

ChatTemplate::SpecialTokens special_tokens_of(const nlohmann::json& config) {
  constexpr std::array names{"bos_token", "eos_token", "unk_token", "sep_token",
                             "pad_token", "cls_token", "mask_token"};
  ChatTemplate::SpecialTokens tokens;
  if (!config.is_object()) return tokens;
  for (const char* const name : names) {
    const auto token = config.find(name);
    if (token == config.end()) continue;
    if (auto text = token_text(*token)) tokens.emplace_back(name, *std::move(text));
  }
  return tokens;
}

/// The template in tokenizer_config.json: a text, or a list of named ones. Nothing where there is none.
Expected<std::optional<std::string>> source_in(const nlohmann::json& config) {
  const auto found = config.is_object() ? config.find("chat_template") : config.end();
  if (!config.is_object() || found == config.end() || found->is_null()) return std::nullopt;
  if (found->is_string()) return found->get<std::string>();
  if (found->is_array()) {
    for (const nlohmann::json& entry : *found) {
      if (!entry.is_object() || entry.value("name", nlohmann::json()) != "default") continue;
      const auto source = entry.find("template");
      if (source != entry.end() && source->is_string()) return source->get<std::string>();
    }
    return fail(ErrorCode::bad_tokenizer, std::string(config_name) + ": chat_template has none named default");
  }
  return fail(ErrorCode::bad_tokenizer, std::string(config_name) + ": chat_template is not text");
}

bool is_there(const fs::path& path) {
  std::error_code failed;
  return fs::exists(fs::symlink_status(path, failed));
}

}  // namespace

Expected<std::optional<ChatTemplate>> ChatTemplate::read(const fs::path& folder) {
  NATSCOPE_TRY(const auto config, read_settings_file(folder / config_name, ErrorCode::bad_tokenizer));
  std::optional<std::string> source;
  if (is_there(folder / template_name)) {
    NATSCOPE_TRY(source, read_small_file(folder / template_name, max_template_bytes));
  } else {
    NATSCOPE_TRY(source, source_in(config));
  }
  if (!source) return std::nullopt;
  return parse(*source, special_tokens_of(config));
}

Expected<ChatTemplate> ChatTemplate::parse(std::string_view source, SpecialTokens special_tokens) {
  if (source.size() > max_template_bytes)
    return fail(ErrorCode::bad_tokenizer, "the chat template has more than a mebibyte");
  if (!valid_utf8(source)) return fail(ErrorCode::bad_tokenizer, "the chat template is not UTF-8");
  auto block = jinja::parse_template(source);
  if (!block) return in_template(std::move(block).error());
  ChatTemplate made;
  made.state_ = std::make_shared<const State>(State{*std::move(block), std::move(special_tokens)});
  return made;
}

Expected<std::string> ChatTemplate::write(std::span<const ChatMessage> messages, std::time_t now,
                                          bool begins_answer) const {
  jinja::Mapping globals;
  for (const auto& [name, text] : state_->special_tokens) globals.set(name, jinja::Value(text));
  jinja::List list;
  for (const ChatMessage& message : messages) {
    jinja::Mapping entry;
    entry.set("role", jinja::Value(message.role));
    entry.set("content", jinja::Value(message.content));
    list.emplace_back(std::move(entry));
  }
  globals.set("messages", jinja::Value(std::move(list)));
  globals.set("tools", jinja::Value());
  globals.set("documents", jinja::Value());
  globals.set("add_generation_prompt", jinja::Value(begins_answer));
  auto text = jinja::write_template(state_->block, globals, now);
  if (!text) return in_template(std::move(text).error());
  return text;
}

const ChatTemplate::SpecialTokens& ChatTemplate::special_tokens() const { return state_->special_tokens; }

Expected<std::vector<std::string>> added_token_texts(const fs::path& folder) {
  std::vector<std::string> texts;
  NATSCOPE_TRY(const auto config, read_settings_file(folder / config_name, ErrorCode::bad_tokenizer));
  if (config.is_object() && config.contains("added_tokens_decoder") && config.at("added_tokens_decoder").is_object()) {
    for (const auto& entry : config.at("added_tokens_decoder")) {
      if (auto text = token_text(entry)) texts.push_back(*std::move(text));
    }
  }
  NATSCOPE_TRY(const auto added, read_settings_file(folder / "added_tokens.json", ErrorCode::bad_tokenizer));
  if (added.is_object()) {
    for (const auto& [text, id] : added.items()) texts.push_back(text);
  }
  std::erase(texts, std::string());
  return texts;
}

bool has_chat_template(const fs::path& folder) {
  if (is_there(folder / template_name)) return true;
  const auto config = read_settings_file(folder / config_name, ErrorCode::bad_tokenizer);
  if (!config || !config->is_object()) return false;
  const auto found = config->find("chat_template");
  return found != config->end() && !found->is_null();
}

}  // namespace natscope
