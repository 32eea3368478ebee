// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/expected.h"
#include "core/explore/sequence_record.h"
#include "core/io/safetensors.h"
#include "core/io/safetensors_writer.h"
#include "core/session/provenance.h"
#include "core/session/token_names.h"

/// Trace files: everything one run saw, as one safetensors file that numpy opens. The contract is the command line's
/// `trace`; how the tokens read stands in the metadata (core/session/trace_texts.h). Beyond it a trace has what a
/// session has, too, under the same names:
///   probability   F32 [T]           of each token before it came; 0: not known
/// and under policies without roles, as under the methods of other programs, where roles (all 0) do not say what is
/// held:
///   evicted       I32 [entries, 3]  layer, KV head and position of every entry that was dropped, step after step
///   evicted_ends  I64 [T]           where in that list each step's entries end
namespace natscope {

/// Fills rows of one map: queries first … first + n - 1 against all T keys.
///   weights [n, T] masked cells exactly 0, visible [n, T]
using MapRows = std::function<Expected<void>(const MapId& map, TokenPos first, std::int64_t n, std::span<float> weights,
                                             std::span<std::uint8_t> visible)>;

struct TraceContent {
  const SequenceRecord* record = nullptr;
  Provenance provenance;           ///< `maps` names the maps to be written; without `map_rows` it must be empty
  std::int64_t prompt_tokens = 0;  ///< all that stood before what was generated last, earlier answers too
  bool with_scores = false;        ///< ignored for a model without score layers
  std::int32_t vocab = 0;          ///< columns of logits
  /// Hands over logits [T, vocab] f32 in pieces, row after row; unset: no `logits` tensor. RowSpool::produce fits.
  std::function<Expected<void>(const TensorSink&)> logits;
  /// What tokens are called that add nothing to the text; unset: they have no name.
  TokenNames name_of;
  MapRows map_rows;  ///< called twice for every row: for `attention` and for `visible`
};

/// Writes a trace atomically; no tensor that grows with T² or T · vocab is ever whole in memory.
/// Errors: those of write_safetensors and of the callbacks.
[[nodiscard]] Expected<void> write_trace(const std::filesystem::path& path, const TraceContent& content);

/// An open trace: every tensor of the contract is there with its dtype and sizes that fit each other, roles are 0 … 2,
/// tokens are not negative, `maps` names as many maps as `attention` holds, what was dropped had been there. Values are
/// copied when asked for.
class TraceFile {
 public:
  /// Errors: those of SafetensorsFile::open, bad_trace (what is wrong and in which tensor or key), out_of_memory.
  [[nodiscard]] static Expected<TraceFile> open(const std::filesystem::path& path);

  [[nodiscard]] std::int64_t tokens_count() const { return length_; }  ///< T
  [[nodiscard]] std::int32_t layers() const { return layers_; }
  [[nodiscard]] std::int32_t kv_heads() const { return kv_heads_; }
  [[nodiscard]] const Provenance& provenance() const { return provenance_; }
  [[nodiscard]] std::optional<std::int64_t> prompt_tokens() const { return prompt_tokens_; }

  /// [T] what each token adds to the text; empty where the trace does not hold it, as those of earlier versions.
  [[nodiscard]] const std::vector<std::string>& token_texts() const { return texts_; }
  /// How tokens read whose text is empty.
  [[nodiscard]] const std::map<std::int32_t, std::string>& token_names() const { return names_; }

  [[nodiscard]] std::vector<std::int32_t> tokens() const;              ///< [T]
  [[nodiscard]] std::vector<Role> roles() const;                       ///< [layers, kv_heads, T]
  [[nodiscard]] std::vector<std::int32_t> kv_entries() const;          ///< [T, layers, kv_heads]
  [[nodiscard]] std::vector<std::int64_t> kv_allocated_bytes() const;  ///< [T]

  /// Whether it holds what was dropped in place of roles. Traces of H2O by earlier versions do not.
  [[nodiscard]] bool has_evicted() const;
  /// [T] dropped after each step, each entry once at most; empty lists where it holds none.
  [[nodiscard]] std::vector<std::vector<EvictedEntry>> evicted() const;

  /// [T] TokenFrame::probability, 0 where it was not computed; empty in traces of earlier versions.
  [[nodiscard]] std::vector<float> probability() const;
  [[nodiscard]] std::vector<float> scores() const;  ///< [layers, kv_heads, T, 3]; empty where it holds none

  /// Which of the maps this is in `attention`, or nothing when the trace does not hold it.
  [[nodiscard]] std::optional<std::size_t> map_index(const MapId& map) const;

  /// A rectangle of a stored map. weights, visible [queries, keys], either may be empty.
  /// Errors: bad_position (outside T), bad_trace (what is no weight, a visible that is neither 0 nor 1, a key that is
  /// seen before it comes, weight on one that is not seen).
  [[nodiscard]] Expected<void> read_map(std::size_t map, TokenPos first_query, std::int64_t queries, TokenPos first_key,
                                        std::int64_t keys, std::span<float> weights,
                                        std::span<std::uint8_t> visible) const;

 private:
  TraceFile(SafetensorsFile file, Provenance provenance);

  SafetensorsFile file_;
  Provenance provenance_;
  std::int64_t length_ = 0;
  std::int32_t layers_ = 0;
  std::int32_t kv_heads_ = 0;
  std::optional<std::int64_t> prompt_tokens_;
  std::vector<std::string> texts_;
  std::map<std::int32_t, std::string> names_;
};

}  // namespace natscope
