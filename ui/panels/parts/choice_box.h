// SPDX-License-Identifier: GPL-3.0-or-later
/// A list that one value is chosen from: each entry has its value as its data, wherever it stands.
#pragma once

#include <QComboBox>
#include <utility>

namespace natscope::ui {

/// `Value`: an enum or a bool.
template <class Value>
void addChoices(QComboBox* box, std::initializer_list<std::pair<QString, Value>> choices) {
  for (const auto& [words, value] : choices) box->addItem(words, static_cast<int>(value));
}

template <class Value>
[[nodiscard]] Value chosen(const QComboBox* box) {
  return static_cast<Value>(box->currentData().toInt());
}

/// Nothing where it is not offered.
template <class Value>
void choose(QComboBox* box, Value value) {
  if (const int at = box->findData(static_cast<int>(value)); at >= 0) box->setCurrentIndex(at);
}

}  // namespace natscope::ui
