// fairlead schema: what editors need to know of resource files.
#include <boost/json.hpp>

#include "base/status.h"
#include "cli/commands.h"
#include "cli/dialect.h"
#include "cli/schema/json_schema.h"
#include "cli/schema/json_text.h"

namespace fairlead::cli {

absl::StatusOr<int> RunSchema(Session& session, const SchemaOptions& options) {
  ASSIGN_OR_RETURN(const v1::Dialect dialect, ParseDialect(options.dialect));
  session.Print(JsonText(ResourceFileSchema(dialect)));
  return kExitOk;
}

}  // namespace fairlead::cli
