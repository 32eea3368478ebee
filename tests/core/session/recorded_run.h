// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/session/session_file.h"
#include "core/session/trace_file.h"

/// A made-up run of a model with 2 layers, 4 heads, 2 KV heads: 7 tokens, window 2.
namespace natscope::test {

inline constexpr std::int64_t run_tokens = 7;
inline constexpr std::int32_t run_heads = 4;

[[nodiscard]] SequenceRecord recorded_run();
/// The same with the entries and counts that its roles leave: a trace or session of it does not contradict itself.
[[nodiscard]] SequenceRecord consistent_run(const std::vector<EvictedEntry>& dropped_after_4 = {});
/// Under H2O: three entries are left after every token. The oldest goes, but KV head 1 of layer 0 keeps the very first.
[[nodiscard]] SequenceRecord h2o_run();
[[nodiscard]] Provenance run_provenance();
[[nodiscard]] Session recorded_session();

/// The weight of a cell of a made-up map: different everywhere, 0 where it is masked.
[[nodiscard]] float made_up_weight(const MapId& map, std::int64_t query, std::int64_t key, bool is_visible);

/// A trace of the run with maps 0.1 and 1.3, logits (vocab 5) and scores.
[[nodiscard]] TraceContent run_trace(const SequenceRecord& record);
/// The same of h2o_run().
[[nodiscard]] TraceContent h2o_trace(const SequenceRecord& record);

/// A safetensors file taken apart, changed and written again: how bad files are made.
struct LooseFile {
  Metadata metadata;
  std::vector<TensorToWrite> tensors;
  std::vector<std::vector<std::byte>> kept;

  [[nodiscard]] static LooseFile of(const std::filesystem::path& path);
  [[nodiscard]] TensorToWrite& tensor(const std::string& name);
  void remove(const std::string& name);
  /// New data of the tensor's own size, every byte this.
  void fill(const std::string& name, int byte);
  /// Another shape and dtype, with zeros.
  void replace(const std::string& name, DType dtype, std::vector<std::int64_t> shape);
  void write(const std::filesystem::path& path) const;
};

}  // namespace natscope::test
