// JSON Schema of resource files, made from the field options.
#pragma once

#include <string>

#include <boost/json/fwd.hpp>

#include "fairlead/v1/resource_sync.pb.h"

namespace fairlead::cli {

// Draft 2020-12 of one file. What it refuses, the reader refuses too; the reader refuses more:
// the grammar inside texts, ranges of durations, names given twice. In the komodo dialect unknown
// keys are allowed, as the reader only warns of them.
//
// Editors differ in what they make of a schema, so three habits are kept throughout: nothing
// stands beside a $ref (older drafts ignore it), no `allOf` and no `if` (their members are not
// offered for completion), and all that is described is described where it is used.
boost::json::object ResourceFileSchema(v1::Dialect dialect);

}  // namespace fairlead::cli
