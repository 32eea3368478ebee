// SPDX-License-Identifier: GPL-3.0-or-later
/// Figures that tests draw, of made-up numbers.
#pragma once

#include <QByteArray>
#include <QStringList>

#include "ui/figure/figure.h"

namespace natscope::ui::test {

[[nodiscard]] Provenance someProvenance();
/// Queries from 4 on.
[[nodiscard]] FigureData attention(std::int32_t queries, std::int32_t keys, bool withTexts);
[[nodiscard]] FigureData roles(std::int32_t layers, std::int32_t heads, std::int64_t length);
/// Maps without values are not there.
[[nodiscard]] FigureData overview(std::int32_t layers, std::int32_t heads, std::int64_t tokens, bool isPartly = false);
[[nodiscard]] FigureData text(bool isOfHead, bool hasRoles = true);
/// Of the same tokens; every fifth loss is not known.
[[nodiscard]] FigureData losses(bool isCompared);
[[nodiscard]] FigureData curve(bool withBytes);
/// Beside another run, which has the policy streaming:4,16.
[[nodiscard]] FigureData held(std::int32_t layers, std::int32_t heads, std::int64_t length);

/// The texts of an svg in their order; empty where it is none.
[[nodiscard]] QStringList textsOf(const Expected<QByteArray>& svg);

}  // namespace natscope::ui::test
