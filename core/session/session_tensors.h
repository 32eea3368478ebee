// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/// Names of a session's metadata and tensors, once for the writer and the reader. Private to core/session.
///
/// Lists of different lengths (texts, candidates, evicted entries) are stored end to end, with where each one ends.
namespace natscope::session {

inline constexpr char session_format[] = "natscope-session";
inline constexpr char session_version[] = "1";

/// Before the names of everything that is the kept run's: tensors and metadata are as a session's.
inline constexpr char kept_prefix[] = "kept.";

inline constexpr char text_bytes[] = "text_bytes";                            ///< U8 [bytes]
inline constexpr char text_ends[] = "text_ends";                              ///< I64 [T]
inline constexpr char generated[] = "generated";                              ///< U8 [T]
inline constexpr char held_entries[] = "held_entries";                        ///< I64 [T]
inline constexpr char dense_bytes[] = "dense_bytes";                          ///< I64 [T]
inline constexpr char live_bytes[] = "live_bytes";                            ///< I64 [T]
inline constexpr char kv_fraction[] = "kv_fraction";                          ///< F64 [T]
inline constexpr char paper_kv_fraction[] = "paper_kv_fraction";              ///< F64 [T]
inline constexpr char probability[] = "probability";                          ///< F32 [T]
inline constexpr char step_ms[] = "step_ms";                                  ///< F64 [T]
inline constexpr char candidate_ends[] = "candidate_ends";                    ///< I64 [T]
inline constexpr char candidate_tokens[] = "candidate_tokens";                ///< I32 [candidates]
inline constexpr char candidate_probabilities[] = "candidate_probabilities";  ///< F32 [candidates]
inline constexpr char evicted_ends[] = "evicted_ends";                        ///< I64 [T]
inline constexpr char evicted[] = "evicted";                        ///< I32 [entries, 3]: layer, KV head, position
inline constexpr char named_tokens[] = "named_tokens";              ///< I32 [names]
inline constexpr char name_bytes[] = "name_bytes";                  ///< U8 [bytes]
inline constexpr char name_ends[] = "name_ends";                    ///< I64 [names]
inline constexpr char prompt_bytes[] = "prompt_bytes";              ///< U8 [bytes]
inline constexpr char model_path_bytes[] = "model_path_bytes";      ///< U8 [bytes]: a path need not be UTF-8
inline constexpr char adapter_path_bytes[] = "adapter_path_bytes";  ///< U8 [bytes]

}  // namespace natscope::session
