// SPDX-License-Identifier: GPL-3.0-or-later
/// The host device's cache of its own, and attention over it. Refused: appends that were not reserved, and with H2O's
/// rule calls of a token out of their turn.
#pragma once

#include <cstdint>

#include "kernels/device_operations.h"

namespace natscope::test::host {

using kernels::ConstView;
using kernels::DeviceCache;
using kernels::OpenedDevice;
using kernels::Status;
using kernels::View;

Status create_cache(OpenedDevice*, const kernels::KvCacheShape* shape, std::int64_t, DeviceCache** cache);
void free_cache(OpenedDevice*, DeviceCache* cache);
Status reset_cache(OpenedDevice* device, DeviceCache* cache, std::int64_t window, const kernels::ScoreRule* rule);
Status reserve_cache(OpenedDevice*, DeviceCache* cache, std::int64_t tokens, std::int64_t layers);
Status append(OpenedDevice* device, DeviceCache* cache, std::int32_t layer, std::int32_t first,
              const ConstView<Role, 2>* roles, const ConstView<float, 3>* keys, const ConstView<float, 3>* values);
Status append_token(OpenedDevice* device, DeviceCache* cache, const ConstView<Role, 2>* roles,
                    const ConstView<float, 3>* keys, const ConstView<float, 3>* values);
Status keep_by_scores(OpenedDevice* device, DeviceCache* cache, const kernels::TokenDrops* call);
Status drop_entries(OpenedDevice* device, DeviceCache* cache, const kernels::EntryDrops* call);
Status read_scores(OpenedDevice* device, DeviceCache* cache, std::int32_t layer, const View<float, 2>* to_host);
Status end_appends(OpenedDevice*, DeviceCache*);
Status cache_counts(OpenedDevice*, DeviceCache* cache, kernels::DeviceCacheCounts* counts);
Status attention(OpenedDevice* device, DeviceCache* cache, std::int32_t layer, std::int32_t first,
                 const ConstView<float, 3>* queries, const ConstView<float, 3>* keys, const ConstView<float, 3>* values,
                 const ConstView<Role, 2>* roles, bool round, const View<float, 3>* out, const View<float, 2>* lse,
                 float* self_scores);

}  // namespace natscope::test::host
