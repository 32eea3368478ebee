// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokenizer/huggingface/byte_pairs.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <queue>

#include "core/base/utf8.h"
#include "core/tokenizer/huggingface/json_parts.h"
#include "core/tokenizer/sentencepiece_proto.h"

namespace natscope {
namespace {

constexpr std::string_view blank_mark = "\xE2\x96\x81";  // U+2581

/// A merge waiting for its turn.
struct Candidate {
  std::int32_t rank = 0;
  std::int32_t left = 0;  // symbol
  std::int32_t id = 0;    // of the piece that it makes

  /// The lowest rank first, of those the leftmost.
  bool operator<(const Candidate& other) const { return rank != other.rank ? rank > other.rank : left > other.left; }
};

bool has_text(const nlohmann::json& model, const char* key) {
  const auto found = model.find(key);
  return found != model.end() && !found->is_null() &&
         !(found->is_string() && found->get_ref<const std::string&>().empty());
}

}  // namespace

Expected<BytePairs> BytePairs::read(const nlohmann::json& model) {
  // Files from before there were kinds are of this one.
  if (model.is_object() && model.contains("type")) {
    NATSCOPE_TRY(const std::string type, type_of(model, "model"));
    if (type != "BPE") return not_done("model", type);
  }
  if (!model.is_object() || !model.contains("vocab") || !model.contains("merges"))
    return fail(ErrorCode::bad_tokenizer, "\"model\" has no vocab and merges");
  for (const char* const key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (has_text(model, key)) return not_done("model", key);
  }
  const auto dropout = model.find("dropout");
  if (dropout != model.end() && !dropout->is_null() && !(dropout->is_number() && dropout->get<double>() == 0.0))
    return not_done("model", "dropout");
  BytePairs made;
  NATSCOPE_TRY(made.fuse_unk_, flag_of(model, "fuse_unk", false));
  NATSCOPE_TRY(made.byte_fallback_, flag_of(model, "byte_fallback", false));
  NATSCOPE_TRY(made.ignore_merges_, flag_of(model, "ignore_merges", false));
  NATSCOPE_CHECK(made.read_vocabulary(model.at("vocab")));
  NATSCOPE_CHECK(made.read_merges(model.at("merges")));
  if (model.contains("unk_token") && !model.at("unk_token").is_null()) {
    NATSCOPE_TRY(const std::string unk, text_of(model, "unk_token"));
    made.unk_ = made.ids_.find(unk);
    if (!made.unk_) return fail(ErrorCode::bad_tokenizer, "unk_token " + printable(unk) + " is not a piece");
  }
  made.find_ends();
  return made;
}

Expected<void> BytePairs::read_vocabulary(const nlohmann::json& vocabulary) {
  if (!vocabulary.is_object()) return fail(ErrorCode::bad_tokenizer, "\"vocab\" is not an object");
  ids_.reserve(vocabulary.size());
  std::vector<bool> taken;
  byte_ids_.fill(-1);
  for (const auto& [text, id] : vocabulary.items()) {
    if (!is_piece_id(id, vocabulary.size()))
      return fail(ErrorCode::bad_tokenizer, "the id of " + printable(text) + " is none, or too high for so few pieces");
    if (text.size() > longest_piece)
      return fail(ErrorCode::bad_tokenizer, "a piece of " + std::to_string(text.size()) + " bytes");
    const auto number = id.get<std::size_t>();
    if (number >= taken.size()) taken.resize(number + 1);
    if (taken[number]) return fail(ErrorCode::bad_tokenizer, "two pieces have the id " + std::to_string(number));
    taken[number] = true;
    ids_.add(text, static_cast<std::int32_t>(number));
    if (const int byte = byte_piece_value(text); byte >= 0)
      byte_ids_[static_cast<std::size_t>(byte)] = static_cast<std::int32_t>(number);
  }
  return {};
}

Expected<void> BytePairs::read_merges(const nlohmann::json& merges) {
  if (!merges.is_array()) return fail(ErrorCode::bad_tokenizer, "\"merges\" is not a list");
  merges_.reserve(merges.size());
  std::int32_t rank = 0;
  std::string both;
  for (const nlohmann::json& merge : merges) {
    std::string_view left, right;
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      left = merge[0].get_ref<const std::string&>();
      right = merge[1].get_ref<const std::string&>();
    } else if (merge.is_string()) {
      const std::string_view pair = merge.get_ref<const std::string&>();
      const std::size_t blank = pair.find(' ');
      if (blank != std::string_view::npos && pair.find(' ', blank + 1) == std::string_view::npos) {
        left = pair.substr(0, blank);
        right = pair.substr(blank + 1);
      }
    }
    if (left.empty() || right.empty())
      return fail(ErrorCode::bad_tokenizer, "merge " + std::to_string(rank) + " is not a pair of pieces");
    both.assign(left).append(right);
    const auto a = ids_.find(left), b = ids_.find(right), whole = ids_.find(both);
    if (!a || !b || !whole)
      return fail(ErrorCode::bad_tokenizer, "merge " + std::to_string(rank) + ", of " + printable(left) + " and " +
                                                printable(right) + ", is of or makes what is not a piece");
    merges_.set(*a, *b, {rank, *whole});
    ++rank;
  }
  return {};
}

void BytePairs::find_ends() {
  // A blank that is no piece may be one unknown with the character before it; a whole word that is one piece is not cut.
  if (ignore_merges_ || !ids_.find(blank_mark)) return;
  ends_before_blank_.fill(true);
  for (const PieceIndex::Piece& piece : ids_.pieces()) {
    for (auto at = piece.text.find(blank_mark, 1); at != std::string::npos; at = piece.text.find(blank_mark, at + 1))
      ends_before_blank_[static_cast<unsigned char>(piece.text[at - 1])] = false;
  }
}

std::size_t BytePairs::end_of_part(std::string_view word, std::size_t begin) const {
  std::size_t end = word.find(blank_mark, begin + 1);
  while (end != std::string_view::npos && !ends_before_blank_[static_cast<unsigned char>(word[end - 1])])
    end = word.find(blank_mark, end + 1);
  return std::min(end, word.size());
}

std::vector<BytePairs::Symbol> BytePairs::symbols(std::string_view word) const {
  std::vector<Symbol> made;
  bool last_is_unk = false;
  const auto add = [&](std::int32_t id, bool is_unk) {
    last_is_unk = is_unk;
    made.push_back({id});
  };
  while (!word.empty()) {
    const std::size_t length = utf8_character_length(word);
    const std::string_view character = word.substr(0, length);
    word.remove_prefix(length);
    if (const auto found = ids_.find(character)) {
      add(*found, false);
      continue;
    }
    const bool as_bytes = byte_fallback_ && std::all_of(character.begin(), character.end(), [this](char byte) {
                            return byte_ids_[static_cast<unsigned char>(byte)] >= 0;
                          });
    if (as_bytes) {
      for (const char byte : character) add(byte_ids_[static_cast<unsigned char>(byte)], false);
    } else if (unk_ && !(fuse_unk_ && last_is_unk)) {
      add(*unk_, true);
    }
  }
  for (std::size_t i = 0; i < made.size(); ++i) {
    made[i].previous = static_cast<std::int32_t>(i) - 1;
    made[i].next = i + 1 < made.size() ? static_cast<std::int32_t>(i) + 1 : -1;
  }
  return made;
}

void BytePairs::merge(std::vector<Symbol>& symbols) const {
  std::priority_queue<Candidate> waiting;
  const auto consider = [&](std::int32_t left) {
    const Symbol& symbol = symbols[static_cast<std::size_t>(left)];
    if (symbol.next < 0) return;
    if (const PairMerge* const merge = merges_.find(symbol.id, symbols[static_cast<std::size_t>(symbol.next)].id))
      waiting.push({merge->rank, left, merge->id});
  };
  for (std::size_t i = 0; i < symbols.size(); ++i) consider(static_cast<std::int32_t>(i));
  while (!waiting.empty()) {
    const Candidate next = waiting.top();
    waiting.pop();
    Symbol& left = symbols[static_cast<std::size_t>(next.left)];
    if (left.is_gone || left.next < 0) continue;
    Symbol& right = symbols[static_cast<std::size_t>(left.next)];
    // Either may have changed since.
    const PairMerge* const merge = merges_.find(left.id, right.id);
    if (merge == nullptr || merge->id != next.id) continue;
    left.id = merge->id;
    left.next = right.next;
    right.is_gone = true;
    if (right.next >= 0) symbols[static_cast<std::size_t>(right.next)].previous = next.left;
    if (left.previous >= 0) consider(left.previous);
    consider(next.left);
  }
}

void BytePairs::encode(std::string_view word, std::vector<std::int32_t>& ids) const {
  if (ignore_merges_) {
    if (const auto found = ids_.find(word)) {
      ids.push_back(*found);
      return;
    }
  }
  std::vector<Symbol> word_symbols = symbols(word);
  merge(word_symbols);
  for (const Symbol& symbol : word_symbols) {
    if (!symbol.is_gone) ids.push_back(symbol.id);
  }
}

}  // namespace natscope
