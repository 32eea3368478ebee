// SPDX-License-Identifier: GPL-3.0-or-later
/// The benchmarks, one file a subject.
#pragma once

#include "app/cli/bench/benchmark.h"

namespace natscope::bench {

Expected<std::vector<Row>> decode_dense(const Context& context);   ///< decode_{f32,bf16}_{1k,8k}
Expected<std::vector<Row>> decode_sparse(const Context& context);  ///< decode_bf16_8k_kv{50,25,10}
Expected<std::vector<Row>> prefill(const Context& context);        ///< prefill_{f32,bf16}_2k
Expected<std::vector<Row>> tile(const Context& context);           ///< tile_4k
Expected<std::vector<Row>> first_picture(const Context& context);  ///< first_picture_{128,512,2048}
Expected<std::vector<Row>> frame(const Context& context);          ///< frame_{4096,16384}, through the window's program
Expected<std::vector<Row>> train_step(const Context& context);     ///< train_step_124m, train_step_124m_full
Expected<std::vector<Row>> backward_roles(const Context& context);  ///< backward_roles_cpu_{64,128}[_masked]

}  // namespace natscope::bench
