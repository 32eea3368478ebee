// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QDialog>
#include <QString>

namespace natscope::ui {

/// A page of the Help menu: rich text that can be selected, with links that open in the user's browser. Does not block
/// the window.
class TextSheet : public QDialog {
  Q_OBJECT

 public:
  TextSheet(const QString& title, const QString& html, QWidget* parent = nullptr);
};

/// What About says besides what is the same everywhere.
struct AboutFacts {
  QString engine;  ///< what the engine calls itself, its LibTorch included; empty: none has said hello
  QString model;   ///< empty: none is open
  QString device;  ///< "cpu, float32, 8 threads"; empty without a model
};

/// Roles, the KV fraction and the paper, in three sentences.
[[nodiscard]] QString conceptsText();
/// Version, engine, device, licences.
[[nodiscard]] QString aboutText(const AboutFacts& facts);

}  // namespace natscope::ui
