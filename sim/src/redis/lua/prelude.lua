-- Functions of Lua that catch errors, made to see those of Rust functions as scripts should.
local unwrap, stopped, misused, pcall, xpcall, resume, load, byte, type, select, error = ...

-- What stops a script cannot be caught.
local function caught(succeeded, err, ...)
  if succeeded then return succeeded, err, ... end
  if stopped() then error(err, 0) end
  if type(err) == 'userdata' then err = unwrap(err) end
  return succeeded, err
end

-- Redis's pcall gives the text of an error that is a table.
local function text(succeeded, err, ...)
  if succeeded or type(err) ~= 'table' then return succeeded, err, ... end
  local inside = err.err
  if type(inside) == 'string' or type(inside) == 'number' then return false, inside end
  return false, err, inside
end

local guarded = {}

function guarded.pcall(...)
  return text(caught(pcall(...)))
end

function guarded.xpcall(...)
  if select('#', ...) < 2 then misused("bad argument #2 to 'xpcall' (value expected)") end
  local f, handler = ...
  return caught(xpcall(f, function(err)
    if stopped() then return err end
    if type(err) == 'userdata' then err = unwrap(err) end
    return handler(err)
  end))
end

function guarded.resume(...)
  if type(...) ~= 'thread' then misused("bad argument #1 to 'resume' (coroutine expected)") end
  return caught(resume(...))
end

-- No compiled code: the space in front of it makes it a syntax error.
function guarded.load(reader, name)
  local first = true
  return caught(load(function()
    local piece = reader()
    if first and type(piece) == 'string' and byte(piece) == 27 then piece = ' ' .. piece end
    first = false
    return piece
  end, name))
end

-- Calls a function of Redis with its two tables.
function guarded.call(f, keys, args, handler)
  return xpcall(function() return f(keys, args) end, handler)
end

return guarded
