// SPDX-License-Identifier: GPL-3.0-or-later
/// The engine that is none (fake_engine_main.cpp), and what tests ask of it.
#pragma once

#include <QStringList>
#include <cstdint>

#include "core/explore/attention_tile.h"
#include "core/protocol/messages.h"

namespace natscope::ui::test {

/// Its command line: a mode, and that mode's number.
inline QStringList fake(const QString& mode, int number = 0) {
  return {QStringLiteral(NATSCOPE_FAKE_ENGINE), mode, QString::number(number)};
}

inline GenerateMessage tokens(std::int64_t count) {
  GenerateMessage request;
  request.max_new_tokens = count;
  return request;
}

inline TileKey tile(std::int32_t row) { return {LayerId(0), HeadId(0), 0, row, 0}; }

}  // namespace natscope::ui::test
