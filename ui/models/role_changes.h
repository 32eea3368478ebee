// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <QStringList>
#include <memory>
#include <optional>
#include <vector>

#include "core/cache/role_plan.h"
#include "core/session/provenance.h"

namespace natscope::ui {

/// What a person set in place of what model and policy decide: --window, --roles and --force of the command line.
struct RoleChanges {
  std::optional<std::int64_t> window;      ///< W; 0 is legal
  QString rolesFile;                       ///< where `roles` were read from
  std::shared_ptr<const RoleArray> roles;  ///< null: none
  bool hadOtherRoles = false;              ///< of a session or recording: it was made with a roles file, not at hand
  std::vector<ForcedRole> forced;          ///< a place at most once; they win over `roles`

  /// What a session or recording says of itself.
  [[nodiscard]] static RoleChanges of(const SetByHand& set);

  [[nodiscard]] bool isEmpty() const { return !window && !roles && !hadOtherRoles && forced.empty(); }
  /// Null where the place was not set by hand.
  [[nodiscard]] const ForcedRole* find(LayerId layer, KvHeadId kvHead, TokenPos position) const;
  void force(const ForcedRole& role);
  void release(LayerId layer, KvHeadId kvHead, TokenPos position);
  void releaseAll(TokenPos position);  ///< in all heads of all layers

  void addTo(RolePlan& plan) const;
  /// "W 32 · roles of a.safetensors · 2 roles set by hand"; empty without changes.
  [[nodiscard]] QString inWords() const;
  /// The options of a command that does the same.
  [[nodiscard]] QStringList commandWords() const;
};

/// Whether both say the same of every place.
[[nodiscard]] bool operator==(const RoleChanges& a, const RoleChanges& b);

}  // namespace natscope::ui
