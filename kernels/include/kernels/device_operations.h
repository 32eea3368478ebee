// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

#include "kernels/attention_train.h"
#include "kernels/kv_cache.h"
#include "kernels/linear.h"
#include "kernels/prescribed_role.h"
#include "kernels/status.h"
#include "kernels/token_roles.h"
#include "kernels/views.h"

/// What the engine asks of a device that it does not share memory with: a table of functions that a module hands over.
/// The GPU's module fills it from kernels/cuda; tests fill it from kernels/cpu over ordinary memory, so that all that
/// the engine does with a device is tested where there is none.
namespace natscope::kernels {

/// Of a table's layout and meaning. A module with another one is refused. Grows with every change of this file or of a
/// type that it names.
inline constexpr std::uint32_t device_abi_version = 11;

/// The symbol of a module that returns its table: `const DeviceOperations* natscope_device_operations()`.
inline constexpr const char* device_entry_point = "natscope_device_operations";

/// What open(), create_cache() and end_recording() hand out: the module's own, which nobody else looks into.
struct OpenedDevice;
struct DeviceCache;
struct DeviceRecording;

/// How many points of the stream can be waited for.
inline constexpr std::int32_t device_mark_count = 2;

/// What was opened.
struct DeviceDescription {
  char name[256] = "";
  std::int64_t memory_bytes = 0;
  std::int64_t free_bytes = 0;  ///< when it was opened
};

/// What the cache says of itself after wait().
struct DeviceCacheCounts {
  std::int64_t entries = 0;
  std::int64_t allocated_bytes = 0;  ///< what the allocator holds for keys and values, in use or not
};

/// Products of the one row that a step's token has, read once for all of them.
struct TokenProducts {
  static constexpr std::int32_t most = 4;
  /// What becomes of a product: `out` is it, grows by it, or (of two products) products[0].out = silu(first) · second.
  enum class Into : std::uint8_t { out, sum, gate };

  const float* x = nullptr;     ///< [in_size]
  const float* norm = nullptr;  ///< [in_size]: products are of RMSNorm(x) · norm; null: of x
  float eps = 0;
  bool round = false;  ///< the normed row, and what `gate` writes, are rounded to bf16
  Into into = Into::out;
  std::int32_t count = 0;         ///< 1 … most; of one in_size; of one dtype where into is gate
  LinearRow products[most] = {};  ///< `out` overlaps x nowhere
};

/// What stands between the projections of a step's token and its attention, in place.
struct TokenHeads {
  float* queries = nullptr;       ///< [heads, head_dim]
  float* keys = nullptr;          ///< [kv_heads, head_dim]
  float* values = nullptr;        ///< [kv_heads, head_dim]
  const float* q_norm = nullptr;  ///< [head_dim], null without one
  const float* k_norm = nullptr;
  const float* cosine = nullptr;  ///< [rotated / 2]
  const float* sine = nullptr;
  std::int32_t heads = 0;
  std::int32_t kv_heads = 0;
  std::int32_t head_dim = 0;
  std::int32_t rotated = 0;  ///< numbers of a head that are turned: 0 … head_dim, even
  float eps = 0;
  bool round = false;  ///< values too

  const Role* prescribed = nullptr;  ///< [kv_heads]
  const float* scores = nullptr;     ///< [3 · kv_heads], null: nothing is prescribed as by_scores
  float global_bias = 0;
  Role* roles = nullptr;  ///< [kv_heads] = role_of(prescribed, scores, global_bias)
};

/// The rule of ScoreRule after a step's token was appended to some layers. All [layers, kv_heads].
struct TokenDrops {
  std::int32_t layer = 0;                 ///< the first of them
  ConstView<float, 2> self_scores;        ///< the weights that the token put on itself, as attention left them
  ConstView<std::int32_t, 2> prescribed;  ///< position that goes where one has to; no_drop: what the scores say
  View<std::int32_t, 2> dropped;          ///< position that went, or no_drop
  View<std::int32_t, 2> held;             ///< entries then
};

/// What goes at once of the heads of some layers that hold global entries alone: their first `kept` slots stay, and
/// what stays from behind them comes into the holes among these. Packed, of which only the first `moves` of a head's
/// `from` and `to` are read.
struct EntryDrops {
  std::int32_t layer = 0;            ///< the first of them
  ConstView<std::int32_t, 2> kept;   ///< [layers, kv_heads] entries that stay, of those held at most
  ConstView<std::int32_t, 2> moves;  ///< [layers, kv_heads] of them that move
  ConstView<std::int32_t, 3> from;   ///< [layers, kv_heads, n] slots from `kept` on, each once
  ConstView<std::int32_t, 3> to;     ///< [layers, kv_heads, n] slots below `kept`, each once
};

/// One thread at a time. Pointers to numbers are the
/// device's unless they say host. Work is put on the device's one stream and done in order, but for what is put aside
/// (begin_aside); host memory may go
/// once the call returned (upload; pinned memory: once it was passed), or once wait() or wait_mark() says that it was
/// passed (download). Sizes are at
/// least 1. Activations are f32; `round` rounds what is written to bf16, kept as f32, for engines of that type.
struct DeviceOperations {
  std::uint32_t abi_version = 0;  ///< first, and never moved
  std::uint32_t size_bytes = 0;   ///< of this struct

  /// Errors: backend_unavailable (no driver, too old a one, no GPU), out_of_memory. `detail` is a sentence's end.
  Status (*open)(OpenedDevice** device, DeviceDescription* description) = nullptr;
  void (*close)(OpenedDevice* device) = nullptr;

  /// Aligned to 256 bytes; contents undefined. Errors: out_of_memory. free waits for the stream.
  Status (*allocate)(OpenedDevice* device, std::int64_t size_bytes, void** memory) = nullptr;
  void (*free)(OpenedDevice* device, void* memory) = nullptr;
  Status (*upload)(OpenedDevice* device, void* to, const void* from_host, std::int64_t size_bytes) = nullptr;
  Status (*download)(OpenedDevice* device, void* to_host, const void* from, std::int64_t size_bytes) = nullptr;
  /// Host memory that download() fills beside the host's work; other memory may make the host wait. free_pinned waits
  /// for the stream. Errors: out_of_memory.
  Status (*allocate_pinned)(OpenedDevice* device, std::int64_t size_bytes, void** memory) = nullptr;
  void (*free_pinned)(OpenedDevice* device, void* memory) = nullptr;
  /// Until all work is done. Errors: also what it did wrong.
  Status (*wait)(OpenedDevice* device) = nullptr;
  /// Marks 0 … device_mark_count - 1: set_mark remembers what is on the stream so far, wait_mark waits for that alone.
  /// A mark that was never set is passed. Errors: invalid_argument (no such mark), as wait.
  Status (*set_mark)(OpenedDevice* device, std::int32_t mark) = nullptr;
  Status (*wait_mark)(OpenedDevice* device, std::int32_t mark) = nullptr;
  /// What is put between these two follows what came before, and is done beside what comes after end_aside; what comes
  /// after join_aside follows both. One at a time, joined before wait() and before a recording ends.
  /// Errors: invalid_argument (begun twice; not begun; not ended).
  Status (*begin_aside)(OpenedDevice* device) = nullptr;
  Status (*end_aside)(OpenedDevice* device) = nullptr;
  Status (*join_aside)(OpenedDevice* device) = nullptr;
  /// The cudaStream_t that all of this is put on, for a library that joins in. Null: the device's memory is the host's,
  /// and what is put there is done at once (tests).
  void* (*stream)(OpenedDevice* device) = nullptr;

  /// out [rows, cols] = RMSNorm(x [rows, cols]) · weight [cols]; out may be x.
  Status (*rms_norm)(OpenedDevice* device, const float* x, const float* weight, std::int64_t rows, std::int64_t cols,
                     float eps, bool round, float* out) = nullptr;
  /// In place, every head of x [rows, heads, head_dim]: RMSNorm with norm [head_dim] unless null, then rotation of
  /// pairs (i, i + rotated/2) of its first `rotated` numbers by cosine, sine [rows, rotated/2].
  Status (*turn_heads)(OpenedDevice* device, float* x, const float* norm, const float* cosine, const float* sine,
                       std::int64_t rows, std::int64_t heads, std::int64_t head_dim, std::int64_t rotated, float eps,
                       bool round) = nullptr;
  /// gate [size] = silu(gate) · up.
  Status (*swiglu)(OpenedDevice* device, float* gate, const float* up, std::int64_t size, bool round) = nullptr;
  Status (*round_to_bf16)(OpenedDevice* device, float* x, std::int64_t size) = nullptr;
  /// out [rows, out_size] = x [rows, in_size] · weightᵀ + bias, or grows by it (`add`). All of `product` on the device.
  Status (*linear)(OpenedDevice* device, const float* x, std::int64_t rows, const LinearRow* product,
                   bool add) = nullptr;

  /// One token's: what rms_norm, linear and swiglu make, whose sums may be taken in another order; and the same numbers
  /// as turn_heads, round_to_bf16 and assign_roles.
  Status (*token_products)(OpenedDevice* device, const TokenProducts* call) = nullptr;
  Status (*token_heads)(OpenedDevice* device, const TokenHeads* call) = nullptr;

  /// roles [kv_heads, n] = role_of(prescribed [kv_heads, n], scores [n, 3 · kv_heads], global_bias), all packed.
  /// scores null: nothing is prescribed as by_scores.
  Status (*assign_roles)(OpenedDevice* device, const Role* prescribed, const float* scores, std::int64_t kv_heads,
                         std::int64_t n, float global_bias, Role* roles) = nullptr;

  /// `max_tokens`: of the longest sequence. Errors: as KvCache::create, and unsupported_shape where the device cannot
  /// attend to heads of this size.
  Status (*create_cache)(OpenedDevice* device, const KvCacheShape* shape, std::int64_t max_tokens,
                         DeviceCache** cache) = nullptr;
  void (*free_cache)(OpenedDevice* device, DeviceCache* cache) = nullptr;
  /// As KvCache::reset, with scores and the rule unless `rule` is null. Then tokens come to every layer one
  /// by one: attention, append or append_token, keep_by_scores. Under a rule of a prompt's end they come as without it,
  /// but those that are weighed, one by one, and drop_entries follows their prompt's end.
  Status (*reset_cache)(OpenedDevice* device, DeviceCache* cache, std::int64_t window, const ScoreRule* rule) = nullptr;
  /// Before a pass of `tokens` over `layers`: memory for its appends. Errors: out_of_memory (nothing changed).
  Status (*reserve_cache)(OpenedDevice* device, DeviceCache* cache, std::int64_t tokens, std::int64_t layers) = nullptr;
  /// As KvCache::append for all KV heads of a layer. roles [kv_heads, n]; keys, values [kv_heads, n, head_dim].
  Status (*append)(OpenedDevice* device, DeviceCache* cache, std::int32_t layer, std::int32_t first,
                   const ConstView<Role, 2>* roles, const ConstView<float, 3>* keys,
                   const ConstView<float, 3>* values) = nullptr;
  /// The next token of the first layers, at the position that each of them has come to. roles [layers, kv_heads]; keys,
  /// values [layers, kv_heads, head_dim], rows dense.
  Status (*append_token)(OpenedDevice* device, DeviceCache* cache, const ConstView<Role, 2>* roles,
                         const ConstView<float, 3>* keys, const ConstView<float, 3>* values) = nullptr;
  /// As KvCache::set_score of the token that was appended last to these layers, then KvCache::keep_by_scores; where
  /// scores are the last query's, between share_scores and clear_scores.
  /// Errors: invalid_argument (no scores are kept).
  Status (*keep_by_scores)(OpenedDevice* device, DeviceCache* cache, const TokenDrops* call) = nullptr;
  /// Drops entries of whole layers. What `call` says is taken as it stands: slots that are none are the caller's fault.
  /// Errors: shape_mismatch, invalid_argument (layers over the cache's).
  Status (*drop_entries)(OpenedDevice* device, DeviceCache* cache, const EntryDrops* call) = nullptr;
  /// The scores of the first n entries of each KV head of a layer as they stand, to_host [kv_heads, n], by slot: of
  /// global entries of which none went that is the position. As download(). Errors: invalid_argument (no scores are
  /// kept).
  Status (*read_scores)(OpenedDevice* device, DeviceCache* cache, std::int32_t layer,
                        const View<float, 2>* to_host) = nullptr;
  /// After a pass's appends. What cache_counts() says once this was waited for is of this moment.
  Status (*end_appends)(OpenedDevice* device, DeviceCache* cache) = nullptr;
  /// Errors: out_of_memory (an append found no room, entries are missing).
  Status (*cache_counts)(OpenedDevice* device, DeviceCache* cache, DeviceCacheCounts* counts) = nullptr;

  /// As kernels/attention_prefill.h, and for a chunk of one token, whose `first` nobody looks at,
  /// kernels/attention_decode.h. All on the device. `round` wants an `out` without gaps. self_scores [kv_heads]: where
  /// entries' scores grow, else null; then a chunk is one token. Errors: invalid_argument (it is not).
  Status (*attention)(OpenedDevice* device, DeviceCache* cache, std::int32_t layer, std::int32_t first,
                      const ConstView<float, 3>* queries, const ConstView<float, 3>* keys,
                      const ConstView<float, 3>* values, const ConstView<Role, 2>* roles, bool round,
                      const View<float, 3>* out, const View<float, 2>* lse, float* self_scores) = nullptr;

  /// Work of one pass, put together once and done often. Between begin and end nothing is done: each call is kept with
  /// its arguments, and replay() does them all, with what their memory holds then. Nothing that waits, allocates, frees
  /// or reserves may come between; host memory of copies is pinned and lives as long as the recording; what the module
  /// needs for the calls it must have needed before, so do them once without recording.
  /// Errors: invalid_argument (a recording in a recording; none to end; a call that cannot be kept), out_of_memory.
  Status (*begin_recording)(OpenedDevice* device) = nullptr;
  Status (*end_recording)(OpenedDevice* device, DeviceRecording** recording) = nullptr;
  void (*free_recording)(OpenedDevice* device, DeviceRecording* recording) = nullptr;  ///< waits for the stream
  /// Whether it would still do what was recorded: not after a reset_cache, nor after memory of the module's own moved.
  bool (*is_current)(OpenedDevice* device, const DeviceRecording* recording) = nullptr;
  Status (*replay)(OpenedDevice* device, DeviceRecording* recording) = nullptr;

  /// Whether the device takes training of such heads. Errors: unsupported_shape.
  Status (*attention_train_fits)(OpenedDevice* device, std::int64_t head_dim, ElementType dtype) = nullptr;
  /// As kernels/attention_train.h, without looking at roles. All on the device, by address.
  Status (*attention_train_forward)(OpenedDevice* device, const AttentionTrainInputs* inputs, const View<float, 4>* out,
                                    const View<float, 3>* lse) = nullptr;
  Status (*attention_train_backward)(OpenedDevice* device, const AttentionTrainInputs* inputs,
                                     const ConstView<float, 4>* out, const ConstView<float, 3>* lse,
                                     const ConstView<float, 4>* d_out, double sparse_regularized_value,
                                     const View<float, 4>* dq, const View<float, 4>* dk, const View<float, 4>* dv,
                                     const View<float, 4>* d_roles) = nullptr;
};

}  // namespace natscope::kernels
