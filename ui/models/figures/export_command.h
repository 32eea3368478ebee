// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <optional>

#include "ui/models/figures/export_request.h"
#include "ui/models/workbench.h"

namespace natscope::ui {

/// Where what is shown comes from, as the command line can be told it.
struct ExportOrigin {
  QString file;            ///< a trace or session file that is shown as it was read; empty: a model and a text
  bool isSession = false;  ///< `file` is a session: it holds no attention weights, the model computes them again
  QString model;           ///< folder
  QString adapter;         ///< empty: none
  int context = 0;         ///< tokens; 0: the model's
  QString device;          ///< empty: the default
  QString dtype;           ///< empty: the device's default
  QString policy = QStringLiteral("model");
  QStringList roleOptions;           ///< --window, --roles, --force: as set by hand, or as a session's file has them
  bool hasUnnamedRoles = false;      ///< --roles stands for a session that is still to be saved
  QString keptFile;                  ///< the session file that the kept run was saved as; empty: it is in none
  std::optional<QString> prompt;     ///< the text, where nothing was generated after it
  std::vector<std::int32_t> tokens;  ///< else all tokens, the generated ones too
  quint64 seed = 0;                  ///< stands in a file's provenance
};

/// Of what the workbench shows now. `session`: the file that it was read from, if nothing was done to it since.
[[nodiscard]] ExportOrigin exportOrigin(Workbench& workbench, const QString& session = {});

/// The command that writes the same to the same file, for a shell: `natscope-cli export …`. Options with their default
/// values are left out. A kept run that no file holds is left out, too; a comment before the command says what is
/// missing.
[[nodiscard]] QString exportCommand(const ExportRequest& request, const ExportOrigin& origin, std::int64_t tokens);

/// One word for a POSIX shell, in quotes where it needs them.
[[nodiscard]] QString shellWord(const QString& text);

}  // namespace natscope::ui
